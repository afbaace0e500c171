//! Addresses of FE and BE, and the order in which they are asked.

use std::fmt;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Node {
    /// Reads `host:port`, with or without `http://` before it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.trim_end_matches('/');
        if bare.starts_with("https://") {
            return Err(format!(
                "'{text}' asks for TLS, which this connector does not speak yet"
            ));
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
            host: host.to_owned(),
            port,
        })
    }

    /// Reads a list.
    pub(crate) fn parse_list(text: &str, separator: char) -> Result<Vec<Self>, String> {
        let nodes: Vec<Self> = text
            .split(separator)
            .filter(|part| !part.trim().is_empty())
            .map(Self::parse)
            .collect::<Result<_, _>>()?;
        if nodes.is_empty() {
            return Err("the list is empty".to_owned());
        }
        Ok(nodes)
    }

    /// Returns host and path of a redirect's `Location`, without the user and password that Doris puts there.
    pub(crate) fn of_location(location: &str) -> Option<(Self, String)> {
        let rest = location.strip_prefix("http://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let bare = authority.rsplit('@').next()?;
        Some((Self::parse(bare).ok()?, path.to_owned()))
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

    #[test]
    fn reads_addresses_of_both_dialects() {
        let node = |host: &str, port| Node {
            host: host.to_owned(),
            port,
        };
        let both = vec![node("fe1", 8030), node("fe2", 8030)];
        assert_eq!(
            Node::parse_list("fe1:8030, fe2:8030", ','),
            Ok(both.clone())
        );
        assert_eq!(Node::parse_list("http://fe1:8030;fe2:8030;", ';'), Ok(both));
        assert_eq!(Node::parse("[::1]:8030"), Ok(node("[::1]", 8030)));
        assert!(Node::parse("https://fe:8030").is_err());
        assert!(Node::parse("fe").is_err());
        assert!(Node::parse_list(" ", ',').is_err());
    }

    #[test]
    fn cuts_the_login_off_a_redirect() {
        let location = "http://root:p%40ss@word:x@127.0.0.1:8040/api/db/t/_stream_load?";
        let (node, path) = Node::of_location(location).unwrap();
        assert_eq!(node.to_string(), "127.0.0.1:8040");
        assert_eq!(path, "/api/db/t/_stream_load?");
        assert_eq!(Node::of_location("ftp://x:1/"), None);
    }
}
