//! The attacks, as bytes on a connection and the statuses of all answers that come until it ends.
//!
//! `{HOST}`, `{TOKEN}` and `{COMMIT}` stand for what the server has, `{GOOD}` for the headers of a proper last request, and
//! `{x*N}` for so many bytes. Lines end as they are written. A `-` is no answer at all; where two outcomes are as good, `|`
//! is between them.

/// What is sent, and what comes.
pub(crate) type Attack = (&'static str, &'static str, &'static str);

/// Requests that are read in one way by everybody, for what must not be had.
pub(crate) const PATHS: [(&str, &str); 36] = [
    ("/acme/tiny/resolve/main/../../../../secret", "404"),
    ("/acme/tiny/resolve/main/..%2f..%2f..%2f..%2fsecret", "404"),
    ("/acme/tiny/resolve/main/%2e%2e/%2e%2e/%2e%2e/secret", "404"),
    ("/acme/tiny/resolve/main/%252e%252e%252fsecret", "404"),
    ("/acme/tiny/resolve/main/..%5c..%5c..%5csecret", "404"),
    ("/acme/tiny/resolve/main/..\\..\\..\\secret", "404"),
    ("/acme/tiny/resolve/main/%c0%ae%c0%ae/secret", "404"),
    ("/acme/tiny/resolve/main/%2fetc%2fpasswd", "404"),
    ("/acme/tiny/resolve/main//etc/passwd", "404"),
    ("/acme/tiny/resolve/main/C:%5csecret", "404"),
    ("/acme/tiny/resolve/main/%5c%5chost%5cshare%5cf", "404"),
    ("/acme/tiny/resolve/main/config.json%00.txt", "404"),
    ("/acme/tiny/resolve/main/config.json::$DATA", "404"),
    ("/acme/tiny/resolve/main/config.json.", "404"),
    ("/acme/tiny/resolve/main/config.json%20", "404"),
    ("/acme/tiny/resolve/main/CONFIG.JSON", "404"),
    ("/acme/tiny/resolve/main/%0d%0aSet-Cookie:%20x=y", "404"),
    ("/acme/tiny/resolve/main/.git/config", "404"),
    ("/acme/tiny/resolve/main/escape", "404"),
    ("/acme/tiny/resolve/main/escape-folder/secret", "404"),
    ("/acme/tiny/resolve/..%2f..%2f../config.json", "404"),
    ("/acme/tiny/resolve/refs%2f..%2f..%2fmain/config.json", "404"),
    ("/acme/tiny/resolve/-x/config.json", "404"),
    ("/acme%2ftiny/resolve/main/config.json", "404"),
    ("/../acme/tiny/resolve/main/config.json", "404"),
    ("/acme/..%2f..%2fsecret/resolve/main/f", "404"),
    ("/models/acme/tiny/resolve/main/config.json", "404"),
    ("/api/models/..%2f..%2fsecret", "404"),
    ("/api/models/acme/tiny/tree/main/..%2f..", "404"),
    ("/api/models/acme/tiny/tree/main?cursor=..%2f..%2fsecret&limit=18446744073709551616", "200"),
    ("/api/models/acme/tiny/tree/main?limit=0", "200"),
    ("/api/models/acme/tiny/tree/main?limit=-1", "200"),
    ("/api/models?search={x*9000}", "200"),
    ("/<script>alert(1)</script>", "404|400"),
    ("/%3Cscript%3Ealert(1)%3C/script%3E", "404"),
    ("/-/content/0000/models/acme/tiny/resolve/{COMMIT}/config.json?signature={TOKEN}", "401"),
];

/// Bytes that are read in two ways by some, or by nobody.
pub(crate) const BYTES: [Attack; 58] = [
    ("no version", "GET /\r\n\r\n", "400|-"),
    ("another version", "GET / HTTP/9.9\r\nHost: {HOST}\r\n\r\n", "400|-"),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400|-"),
    ("TLS on a port without it", "\x16\x03\x01\x00\x05hello\r\n\r\n", "400|-"),
    ("nothing that is HTTP", "\0\0\0\0\r\n\r\n", "400|-"),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "400"),
    ("a control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "400"),
    ("a bare CR in the target", "GET /a\rb HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "400"),
    ("a tunnel", "CONNECT secret.example:443 HTTP/1.1\r\n{GOOD}\r\n", "404|405|400"),
    (
        "a proxy",
        "GET http://127.0.0.1:1/acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}\r\n",
        "200",
    ),
    ("an echo", "TRACE /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}\r\n", "405"),
    ("the whole server", "OPTIONS * HTTP/1.1\r\n{GOOD}\r\n", "404|405"),
    ("a method of lower case", "get /metrics HTTP/1.1\r\n{GOOD}\r\n", "405"),
    ("a method that nobody knows", "{x*60} /metrics HTTP/1.1\r\n{GOOD}\r\n", "405"),
    (
        "a write",
        "PUT /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}Content-Length: 1\r\n\r\nx",
        "405",
    ),
    ("a removal", "DELETE /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}\r\n", "405"),
    ("no host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
    ("two hosts", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n{GOOD}\r\n", "400"),
    ("a user in the host", "GET /healthz HTTP/1.1\r\nHost: a@{HOST}\r\n\r\n", "400"),
    ("a path in the host", "GET /healthz HTTP/1.1\r\nHost: {HOST}/x\r\n\r\n", "400"),
    ("markup in the host", "GET /healthz HTTP/1.1\r\nHost: a>b\r\n\r\n", "400"),
    ("a folded header", "GET /healthz HTTP/1.1\r\nX: a\r\n b\r\n{GOOD}\r\n", "400"),
    ("a space before the colon", "GET /healthz HTTP/1.1\r\nX : a\r\n{GOOD}\r\n", "400"),
    ("a header without a colon", "GET /healthz HTTP/1.1\r\nX\r\n{GOOD}\r\n", "400"),
    ("a NUL in a header", "GET /healthz HTTP/1.1\r\nX: a\0b\r\n{GOOD}\r\n", "400"),
    ("a bare CR in a header", "GET /healthz HTTP/1.1\r\nX: a\rY: b\r\n{GOOD}\r\n", "400"),
    // A line of a head may end so (RFC 9112, 2.2); it must end there for everything that follows.
    ("bare line feeds", "GET /healthz HTTP/1.1\n{GOOD}\n", "200"),
    ("a large header", "GET /healthz HTTP/1.1\r\nX: {x*70000}\r\n{GOOD}\r\n", "431|-"),
    ("a large target", "GET /{x*17000} HTTP/1.1\r\n{GOOD}\r\n", "414"),
    (
        "two lengths",
        "POST /api/models/acme/tiny/paths-info/main HTTP/1.1\r\n{GOOD}Content-Length: 5\r\nContent-Length: 6\r\n\r\npaths=",
        "400",
    ),
    ("a list of lengths", "POST /nope HTTP/1.1\r\n{GOOD}Content-Length: 5, 5\r\n\r\nxxxxx", "400"),
    ("a signed length", "POST /nope HTTP/1.1\r\n{GOOD}Content-Length: +5\r\n\r\nxxxxx", "400"),
    ("a negative length", "POST /nope HTTP/1.1\r\n{GOOD}Content-Length: -5\r\n\r\nxxxxx", "400"),
    (
        "a hexadecimal length",
        "POST /nope HTTP/1.1\r\n{GOOD}Content-Length: 0x5\r\n\r\nxxxxx",
        "400",
    ),
    (
        "a length beyond numbers",
        "POST /nope HTTP/1.1\r\n{GOOD}Content-Length: 99999999999999999999\r\n\r\n",
        "400|-",
    ),
    (
        "a length and chunks",
        "POST /nope HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n{GOOD}\r\n",
        "404|400",
    ),
    (
        "chunks and a length",
        "POST /nope HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n{GOOD}\r\n",
        "404|400",
    ),
    (
        "chunks that are called otherwise",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "chunks that are not last",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "chunks behind a control character",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "chunks, then something else",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "chunks in HTTP/1.0",
        "POST /nope HTTP/1.0\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "400",
    ),
    (
        "a chunk beyond numbers",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n",
        "404|400|-",
    ),
    (
        "a chunk of a bare line feed",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\nGET /healthz HTTP/1.1\r\n{GOOD}\r\n",
        "404|400|-",
    ),
    (
        "a large extension of a chunk",
        "POST /nope HTTP/1.1\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n1;{x*70000}\r\nx\r\n0\r\n\r\n",
        "404|400|-",
    ),
    (
        "a request in a body",
        "GET /healthz HTTP/1.1\r\n{GOOD}Content-Length: 52\r\n\r\nGET /metrics HTTP/1.1\r\nHost: h\r\nX-Smuggled: yes\r\n\r\n12",
        "200",
    ),
    (
        "an upgrade",
        "GET /healthz HTTP/1.1\r\n{GOOD}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        "200",
    ),
    (
        "a thousand ranges",
        "GET /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}Range: bytes={0-0,*1000}1-1\r\n\r\n",
        "200",
    ),
    (
        "ranges that overlap",
        "GET /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}Range: bytes=0-,0-,0-,0-\r\n\r\n",
        "200",
    ),
    (
        "a range beyond numbers",
        "GET /acme/tiny/resolve/main/config.json HTTP/1.1\r\n{GOOD}Range: bytes=99999999999999999999-\r\n\r\n",
        "416",
    ),
    (
        "a body that is compressed",
        "POST /api/models/acme/tiny/paths-info/main HTTP/1.1\r\n{GOOD}Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x08\x08",
        "400",
    ),
    (
        "a body that is nested",
        "POST /api/models/acme/tiny/paths-info/main HTTP/1.1\r\n{GOOD}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{[*100000}",
        "400",
    ),
    (
        "a body that is too large",
        "POST /api/models/acme/tiny/paths-info/main HTTP/1.1\r\n{GOOD}Content-Length: 1100000\r\n\r\n{x*1100000}",
        "413",
    ),
    (
        "a hundred thousand paths",
        "POST /api/models/acme/tiny/paths-info/main HTTP/1.1\r\n{GOOD}Content-Length: 1000000\r\n\r\n{paths=abc&*100000}",
        "200",
    ),
    (
        "the token in the query",
        "GET /metrics?token={TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        "401",
    ),
    (
        "a part of the token",
        "GET /metrics HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}x\r\n\r\n",
        "401",
    ),
    (
        "two tokens",
        "GET /metrics HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        "401",
    ),
    (
        "no token for a repo that is not there",
        "GET /acme/nope/resolve/main/f HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        "401",
    ),
];
