//! Addresses of FE and BE.

use std::fmt;

/// How a node is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

impl Scheme {
    /// Cuts the scheme off an address.
    fn split(text: &str) -> (Option<Self>, &str) {
        let known = [("http://", Self::Plain), ("https://", Self::Tls)];
        let found = known
            .iter()
            .find_map(|(prefix, scheme)| Some((Some(*scheme), text.strip_prefix(prefix)?)));
        found.unwrap_or((None, text))
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Node {
    /// Reads `host:port`, with or without `http://` or `https://` before it.
    pub(crate) fn parse(text: &str, scheme: Scheme) -> Result<Self, String> {
        let text = text.trim();
        let (written, bare) = Scheme::split(text);
        let bare = bare.trim_end_matches('/');
        if bare.contains('@') {
            // What stands before '@' is somebody's name and password: no part of it is shown.
            return Err(
                "an address has no user: write host:port, and 'username' and 'password' as options"
                    .to_owned(),
            );
        }
        let (host, port) = bare
            .rsplit_once(':')
            .ok_or_else(|| format!("'{text}' has no port: write host:port"))?;
        let port = port
            .parse()
            .map_err(|_| format!("'{port}' in '{text}' is no port"))?;
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(format!("'{text}' is no host:port"));
        }
        Ok(Self {
            scheme: written.unwrap_or(scheme),
            host: host.to_owned(),
            port,
        })
    }

    /// Reads a list.
    pub(crate) fn parse_list(
        text: &str,
        separator: char,
        scheme: Scheme,
    ) -> Result<Vec<Self>, String> {
        let nodes: Vec<Self> = text
            .split(separator)
            .filter(|part| !part.trim().is_empty())
            .map(|part| Self::parse(part, scheme))
            .collect::<Result<_, _>>()?;
        if nodes.is_empty() {
            return Err("the list is empty".to_owned());
        }
        Ok(nodes)
    }

    /// Returns host and path of a URL, such as a redirect's `Location`, without the user and password that Doris puts there.
    pub(crate) fn of_url(url: &str) -> Option<(Self, String)> {
        let (scheme, rest) = Scheme::split(url);
        let scheme = scheme?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let bare = authority.rsplit('@').next()?;
        Some((Self::parse(bare, scheme).ok()?, path.to_owned()))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(scheme: Scheme, host: &str, port: u16) -> Node {
        Node {
            scheme,
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn reads_addresses_of_both_dialects() {
        let both = vec![
            node(Scheme::Plain, "fe1", 8030),
            node(Scheme::Plain, "fe2", 8030),
        ];
        let list = |text, separator| Node::parse_list(text, separator, Scheme::Plain);
        assert_eq!(list("fe1:8030, fe2:8030", ','), Ok(both.clone()));
        assert_eq!(list("http://fe1:8030;fe2:8030;", ';'), Ok(both));
        assert_eq!(
            list("[::1]:8030", ','),
            Ok(vec![node(Scheme::Plain, "[::1]", 8030)])
        );
        assert!(list("fe", ',').is_err());
        assert!(list(" ", ',').is_err());
    }

    #[test]
    fn what_is_written_wins_over_the_option() {
        let parse = |text| Node::parse(text, Scheme::Tls).unwrap().scheme;
        assert_eq!(parse("fe:8030"), Scheme::Tls);
        assert_eq!(parse("http://fe:8030"), Scheme::Plain);
        let plain = Node::parse("https://fe:8030", Scheme::Plain).unwrap();
        assert_eq!(plain.scheme, Scheme::Tls);
    }

    #[test]
    fn cuts_the_login_off_a_redirect() {
        let location = "http://root:p%40ss@word:x@127.0.0.1:8040/api/db/t/_stream_load?";
        let (node, path) = Node::of_url(location).unwrap();
        assert_eq!(node.to_string(), "127.0.0.1:8040");
        assert_eq!(path, "/api/db/t/_stream_load?");
        assert_eq!(Node::of_url("ftp://x:1/"), None);
    }
}
