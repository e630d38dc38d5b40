# The always-on gateway: no torch, no vLLM. From the repository's root: docker build -f deploy/docker/gateway.Dockerfile -t troupe-gateway:0.1.0 .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/troupe && pip install --no-cache-dir --no-deps setuptools==78.1.1
COPY requirements/gateway.lock requirements/
RUN /opt/troupe/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/gateway.lock
COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY clients clients
COPY server server
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/troupe/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --home-dir /var/lib/troupe --shell /usr/sbin/nologin troupe \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/troupe /var/lib/troupe/registry
COPY --from=build /opt/troupe /opt/troupe
ENV PATH=/opt/troupe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TROUPE_HOME=/var/lib/troupe \
    TROUPE_HOST=0.0.0.0 \
    TROUPE_PORT=8000
WORKDIR /var/lib/troupe
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"TROUPE_PORT\"]}/health/live', timeout=2)"]
ENTRYPOINT ["troupe"]
CMD ["up"]
