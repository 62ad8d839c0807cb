# mmlock as an image: `docker run --rm -v "$PWD:/work" mmlock locks --check`
FROM python:3.12-slim@sha256:d67a7b66b989ad6b6d6b10d428dcc5e0bfc3e5f88906e67d490c4d3daac57047 AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/mmlock && /opt/mmlock/bin/python -m pip install --no-cache-dir .

FROM python:3.12-slim@sha256:d67a7b66b989ad6b6d6b10d428dcc5e0bfc3e5f88906e67d490c4d3daac57047
# git: `mmlock update` pushes branches with it. Its version is that of the image, which is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 mmlock
COPY --from=build /opt/mmlock /opt/mmlock
USER 1000
WORKDIR /work
ENV PATH=/opt/mmlock/bin:$PATH MMLOCK_CACHE_DIR=/home/mmlock/.cache/mmlock
ENTRYPOINT ["mmlock"]
CMD ["--help"]
