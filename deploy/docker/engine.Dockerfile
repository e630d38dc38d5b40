# An engine: vLLM, for a GPU or for a CPU. From the repository's root:
#   docker build -f deploy/docker/engine.Dockerfile --build-arg ENGINE=gpu -t troupe-engine:0.1.0-gpu .
#   docker build -f deploy/docker/engine.Dockerfile --build-arg ENGINE=cpu --build-arg PIP_EXTRA_INDEX_URL=… -t troupe-engine:0.1.0-cpu .
# PIP_EXTRA_INDEX_URL: the index that has PyTorch's CPU builds; see "Install" in README.md.
FROM python:3.11-slim-bookworm AS build
ARG ENGINE=cpu
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
RUN python -m venv /opt/troupe
COPY requirements/cpu.lock requirements/gpu.lock requirements/
RUN /opt/troupe/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/${ENGINE}.lock
COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY clients clients
COPY deploy deploy
COPY server server
# vLLM finds the adapter resolver by the entry point that this installs.
RUN /opt/troupe/bin/pip install --no-cache-dir --no-deps --no-index --no-build-isolation .

FROM python:3.11-slim-bookworm
# g++: PyTorch and Triton compile kernels at the first start. libnuma: vLLM's CPU build links it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libnuma1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/troupe --shell /usr/sbin/nologin troupe \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/troupe /var/lib/troupe/cache /var/lib/troupe/registry
COPY --from=build /opt/troupe /opt/troupe
ENV PATH=/opt/troupe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/troupe/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TROUPE_HOME=/var/lib/troupe \
    TROUPE_ENGINE_HOST=0.0.0.0 \
    TROUPE_ENGINE_PORT=8001
WORKDIR /var/lib/troupe
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"TROUPE_ENGINE_PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "server.engine"]
