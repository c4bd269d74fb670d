# One image for web, worker and beat. Tags are named for people; a deployment pins the digest it has tried:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/waymark && \
    /opt/waymark/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
# pg_dump and pg_restore, for backups. Debian's are older than a newer server: then set POSTGRES_CLIENT to its package.
ARG POSTGRES_CLIENT=postgresql-client
RUN apt-get update && apt-get install --yes --no-install-recommends "$POSTGRES_CLIENT" && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin waymark && \
    install -d -o waymark -g waymark -m 700 /data && install -d -o waymark -g waymark -m 755 /public
COPY --from=packages /opt/waymark /opt/waymark
WORKDIR /waymark
COPY manage.py LICENSE NOTICE ./
COPY practice practice
COPY intake intake
COPY referrals referrals
COPY templates templates
COPY locale locale
COPY deploy deploy
ENV PATH=/opt/waymark/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data STATIC_ROOT=/public/static
RUN python -m compileall -q practice intake referrals
USER waymark
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/waymark/deploy/run"]
CMD ["web"]
