# The command as one static program, in an image that has nothing else: no shell, no libraries, no user but a number.
#
#   docker build -t hubstow .
#   docker run --read-only -p 8080:8080 -v ~/.cache/huggingface/hub:/models:ro hubstow
#
# It writes nothing but digests, below /cache, and serves without that too.
FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Any musl does: the program is proved to be static below.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates musl-tools \
 && rm -rf /var/lib/apt/lists/* \
 && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
RUN target="$(uname -m)-unknown-linux-musl" \
 && export "CC_${target//-/_}=musl-gcc" \
 && cargo build --release --locked --package hubstow --target "$target" \
 && install -D "target/$target/release/hubstow" /image/hubstow \
 && install -D -m 444 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && install -d -o 65532 -g 65532 /image/cache \
 && (ldd /image/hubstow 2>&1 || true) | grep -E 'statically linked|not a dynamic executable'

FROM scratch
COPY --from=build /image /
ENV HOME=/cache XDG_CACHE_HOME=/cache
USER 65532:65532
VOLUME /cache
EXPOSE 8080
# SIGTERM ends it: answers on their way are sent, for as long as --stop-timeout says.
ENTRYPOINT ["/hubstow"]
# A pull-through that shares a tier: docker run --env-file login.env … serve --upstream https://huggingface.co --disk /cache/hub
# --tier s3://bucket/prefix --bind 0.0.0.0:8080, where login.env has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION.
CMD ["serve", "/models", "--bind", "0.0.0.0:8080"]
