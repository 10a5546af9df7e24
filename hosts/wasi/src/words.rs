//! What the error codes of wasi:http mean: the kind of failure, and words for it.

use std::borrow::Cow;

use hubstow_client::{Distrust, TransportError, TransportErrorKind as Kind};
use wasip2::http::types::ErrorCode as Code;

/// Says what the host's code means. None of its words is a name from its source.
pub(crate) fn of_code(code: &Code) -> TransportError {
    let (kind, words) = meaning(code);
    TransportError::new(kind, words)
}

fn meaning(code: &Code) -> (Kind, Cow<'static, str>) {
    let (kind, words) = match code {
        Code::DnsTimeout => {
            (Kind::Timeout, "the name of the server could not be looked up in time")
        }
        Code::DnsError(_) => (Kind::Connect, "the name of the server could not be looked up"),
        Code::DestinationNotFound => (Kind::Connect, "the server could not be found"),
        Code::DestinationUnavailable => (Kind::Connect, "the server is not there at present"),
        Code::DestinationIpProhibited => (Kind::Connect, "the host forbids the server's address"),
        Code::DestinationIpUnroutable => (Kind::Connect, "no way leads to the server's address"),
        Code::ConnectionRefused => (Kind::Connect, "the connection was refused"),
        Code::ConnectionTerminated => (Kind::Broken, "the connection broke"),
        Code::ConnectionTimeout => (Kind::Timeout, "no connection came about in time"),
        Code::ConnectionReadTimeout => (Kind::Timeout, "nothing came in time"),
        Code::ConnectionWriteTimeout => (Kind::Timeout, "the request could not be sent in time"),
        Code::ConnectionLimitReached => (Kind::Connect, "the host allows no more connections"),
        Code::TlsProtocolError => (Kind::Tls, "TLS could not be agreed on"),
        Code::TlsCertificateError => {
            (Kind::Certificate(Distrust::Other), "the server's certificate is not trusted")
        }
        Code::TlsAlertReceived(_) => (Kind::Broken, "the server broke off TLS with an alert"),
        Code::HttpRequestDenied => (Kind::Other, "the host forbids the request"),
        Code::HttpRequestLengthRequired => (Kind::Other, "the request must say its length"),
        Code::HttpRequestBodySize(_) => (Kind::Other, "the body of the request is too large"),
        Code::HttpRequestMethodInvalid => (Kind::Other, "the method of the request is none"),
        Code::HttpRequestUriInvalid => (Kind::Other, "the address of the request is none"),
        Code::HttpRequestUriTooLong => (Kind::Other, "the address of the request is too long"),
        Code::HttpRequestHeaderSectionSize(_) | Code::HttpRequestHeaderSize(_) => {
            (Kind::Other, "the headers of the request are too large")
        }
        Code::HttpRequestTrailerSectionSize(_) | Code::HttpRequestTrailerSize(_) => {
            (Kind::Other, "the trailers of the request are too large")
        }
        Code::HttpResponseIncomplete => (Kind::Broken, "the answer ended too early"),
        Code::HttpResponseHeaderSectionSize(_) | Code::HttpResponseHeaderSize(_) => {
            (Kind::Broken, "the headers of the answer are too large")
        }
        Code::HttpResponseBodySize(_) => (Kind::Broken, "the body of the answer is too large"),
        Code::HttpResponseTrailerSectionSize(_) | Code::HttpResponseTrailerSize(_) => {
            (Kind::Broken, "the trailers of the answer are too large")
        }
        Code::HttpResponseTransferCoding(_) | Code::HttpResponseContentCoding(_) => {
            (Kind::Broken, "the answer is coded in an unknown way")
        }
        Code::HttpResponseTimeout => (Kind::Timeout, "no answer came in time"),
        Code::HttpUpgradeFailed => (Kind::Broken, "the connection could not be upgraded"),
        Code::HttpProtocolError => (Kind::Broken, "what came is no HTTP"),
        Code::LoopDetected => (Kind::Broken, "the request goes in a circle"),
        Code::ConfigurationError => (Kind::Other, "the host is not set up for requests"),
        Code::InternalError(Some(own)) => {
            return (Kind::Other, format!("the host failed: {own}").into());
        }
        Code::InternalError(None) => (Kind::Other, "the host failed"),
    };
    (kind, words.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_in_words_and_sorted() {
        for (code, kind, words) in [
            (Code::ConnectionRefused, Kind::Connect, "the connection was refused"),
            (Code::ConnectionTimeout, Kind::Timeout, "no connection came about in time"),
            (
                Code::TlsCertificateError,
                Kind::Certificate(Distrust::Other),
                "the server's certificate is not trusted",
            ),
            (Code::HttpResponseIncomplete, Kind::Broken, "the answer ended too early"),
            (
                Code::HttpRequestBodySize(Some(7)),
                Kind::Other,
                "the body of the request is too large",
            ),
            (Code::InternalError(Some("no disk".into())), Kind::Other, "the host failed: no disk"),
            (Code::InternalError(None), Kind::Other, "the host failed"),
        ] {
            let error = of_code(&code);
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, words));
        }
    }
}
