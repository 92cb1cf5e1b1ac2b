# The image of the worker. Everything in it comes from the locks, by hash:
#   docker build -t google-drive-worker:latest .
# The stages share a mount, so it is built with BuildKit (the default of docker build).

FROM python:3.11-slim AS wheels
# The compiler is for the hot path of a listing; it stays in this stage.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.lock \
    && pip wheel --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.lock --wheel-dir /wheels
COPY pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
# Without the compiled hot path all would work, at half the speed, and nobody would see it: that is no image of ours.
# The user is a number, so that Kubernetes can see that it is not root; it has no home and owns nothing here.
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --disable-pip-version-check --no-index --find-links /wheels google-drive-worker \
    && python -c "from google_drive_worker.normalization.pages import IS_COMPILED; assert IS_COMPILED" \
    && groupadd --gid 10001 worker \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin worker
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
# With HEALTH_PORT=-1 nobody answers: run such a container with --no-healthcheck. Kubernetes has probes of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('HEALTH_PORT', '8080')), timeout=4); c.request('GET', '/health/live'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["google-drive-worker"]
CMD ["run"]
