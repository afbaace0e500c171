//! Takes a URL apart as `java.net.URL` does.

/// The parts of a URL, each as the getter of `java.net.URL` returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JavaUrl {
    pub(crate) protocol: String,
    pub(crate) host: String,
    pub(crate) authority: Option<String>,
    pub(crate) user_info: Option<String>,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) reference: Option<String>,
}

/// The protocols the Java runtime has a handler for and whose URLs are read here.
const PROTOCOLS: &[&str] = &["http", "https", "ftp", "file", "jrt", "mailto"];

impl JavaUrl {
    /// Returns the parts of `spec`, or `None` where Java throws.
    pub(crate) fn parse(spec: &str) -> Option<Self> {
        let spec = spec.trim_matches(|character: char| character <= ' ');
        let spec = match spec.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("url:") => &spec[4..],
            _ => spec,
        };
        let (protocol, rest) = split_protocol(spec)?;
        if !PROTOCOLS.contains(&protocol.as_str()) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference.to_owned())),
            None => (rest, None),
        };
        if protocol == "mailto" {
            return mailto(protocol, rest);
        }
        let mut url = Self {
            protocol,
            reference,
            ..Self::default()
        };
        url.parse_hierarchy(rest)?;
        Some(url)
    }

    /// Returns the path with the query, as `getFile` does.
    pub(crate) fn file(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    fn parse_hierarchy(&mut self, rest: &str) -> Option<()> {
        let rest = match rest.split_once('?') {
            Some((rest, query)) => {
                self.query = Some(query.to_owned());
                rest
            }
            None => rest,
        };
        let behind = match rest.strip_prefix("//") {
            // Four slashes begin a UNC name, which is a path.
            Some(behind) if !behind.starts_with("//") => behind,
            _ => {
                self.path = normalized(rest.to_owned());
                return Some(());
            }
        };
        let (authority, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
        self.parse_authority(authority)?;
        self.authority = Some(authority.to_owned());
        self.path = normalized(path.to_owned());
        Some(())
    }

    fn parse_authority(&mut self, authority: &str) -> Option<()> {
        let host = match authority.split_once('@') {
            // More than one '@': not a server's name.
            Some((_, host)) if host.contains('@') => return Some(()),
            Some((user, host)) => {
                self.user_info = Some(user.to_owned());
                host
            }
            None => authority,
        };
        if host.starts_with('[') {
            let end = host.find(']').filter(|end| *end > 2)?;
            let address = host[1..end].split('%').next().unwrap_or_default();
            address.parse::<std::net::Ipv6Addr>().ok()?;
            self.host = host[..=end].to_owned();
            return match host[end + 1..].strip_prefix(':') {
                Some(port) => check_port(port),
                None if host.len() == end + 1 => Some(()),
                None => None,
            };
        }
        match host.split_once(':') {
            Some((host, port)) => {
                check_port(port)?;
                self.host = host.to_owned();
            }
            None => self.host = host.to_owned(),
        }
        Some(())
    }
}

/// Returns the protocol in lower case and what follows its colon.
fn split_protocol(spec: &str) -> Option<(String, &str)> {
    let colon = spec.find([':', '/', '#'])?;
    let rest = spec[colon..].strip_prefix(':')?;
    let protocol = spec[..colon].to_lowercase();
    let mut characters = protocol.chars();
    let valid = characters.next().is_some_and(char::is_alphabetic)
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '.' | '+' | '-'));
    valid.then_some((protocol, rest))
}

/// An empty port is none; another must be what `Integer.parseInt` reads, and not below -1.
fn check_port(port: &str) -> Option<()> {
    if port.is_empty() {
        return Some(());
    }
    port.parse::<i32>()
        .ok()
        .filter(|port| *port >= -1)
        .map(|_| ())
}

fn mailto(protocol: String, rest: &str) -> Option<JavaUrl> {
    if rest.chars().all(super::split_index::is_java_white_space) {
        return None;
    }
    let (path, query) = match rest.rsplit_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (rest, None),
    };
    Some(JavaUrl {
        protocol,
        path: path.to_owned(),
        query,
        ..JavaUrl::default()
    })
}

/// Removes `/./`, and `/../` with the segment before it, as `URLStreamHandler.parseURL` does.
fn normalized(mut path: String) -> String {
    while let Some(at) = path.find("/./") {
        path.replace_range(at..at + 2, "");
    }
    let mut from = 0;
    while let Some(at) = path[from..].find("/../").map(|at| at + from) {
        let segment = path[..at].rfind('/').filter(|_| at > 0);
        match segment {
            Some(segment) if path[segment..].find("/../") != Some(0) => {
                path.replace_range(segment..at + 3, "");
                from = 0;
            }
            _ => from = at + 3,
        }
    }
    while path.ends_with("/..") {
        let Some(at) = path.find("/..") else { break };
        let Some(segment) = path[..at].rfind('/') else {
            break;
        };
        path.truncate(segment + 1);
    }
    if path.starts_with("./") && path.len() > 2 {
        path.replace_range(..2, "");
    }
    if path.ends_with("/.") {
        path.pop();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_dots() {
        for (path, expected) in [
            ("/a/./b", "/a/b"),
            ("/a/b/../c", "/a/c"),
            ("/../../a", "/../../a"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
        ] {
            assert_eq!(normalized(path.to_owned()), expected);
        }
    }

    #[test]
    fn refuses_what_java_refuses() {
        for spec in [
            "",
            "h.com/p",
            "jdbc:mysql://h/x",
            "http://h:x/",
            "http://[::1",
            "mailto: ",
        ] {
            assert_eq!(JavaUrl::parse(spec), None, "{spec}");
        }
    }
}
