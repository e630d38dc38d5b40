# The Discord bot. From the repository's root: docker build -f deploy/docker/bot.Dockerfile -t troupe-bot:0.1.0 .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/troupe && pip install --no-cache-dir --no-deps setuptools==78.1.1
COPY requirements/bot.lock requirements/
RUN /opt/troupe/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/bot.lock
COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY clients clients
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/troupe/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --home-dir /var/lib/troupe --shell /usr/sbin/nologin troupe \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/troupe
COPY --from=build /opt/troupe /opt/troupe
ENV PATH=/opt/troupe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TROUPE_HOME=/var/lib/troupe
WORKDIR /var/lib/troupe
USER 10001:10001
# It listens on nothing that could be asked; Docker starts it again when it ends.
HEALTHCHECK NONE
ENTRYPOINT ["troupe"]
CMD ["bot"]
