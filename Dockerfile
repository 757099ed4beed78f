# One image for every program; docker-compose.yml names the command.
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md ./
COPY domain ./domain
COPY store ./store
COPY accounts ./accounts
COPY ingest ./ingest
COPY anomaly ./anomaly
COPY service_link ./service_link
COPY api ./api
COPY simulators ./simulators
COPY lab ./lab
COPY forewarn ./forewarn
COPY profiles ./profiles
RUN python -m venv /opt/forewarn \
    && /opt/forewarn/bin/pip install --no-cache-dir --no-compile -c constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin forewarn \
    && install -d -m 700 -o 10001 -g 10001 /var/lib/forewarn/attachments /var/lib/forewarn/secrets \
        /var/lib/forewarn/webhook-secrets
COPY --from=build /opt/forewarn /opt/forewarn
ENV PATH=/opt/forewarn/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 LANG=C.UTF-8
USER 10001:10001
WORKDIR /tmp
CMD ["forewarn", "--help"]
