# Drillmark as a container: not root, and with a root file system that may be read-only.
# The workspace is mounted at /workspace and must be writable for uid 65534; so must /tmp (a tmpfs will do).
#   docker build -t drillmark .
#   docker run --read-only --tmpfs /tmp -v "$PWD:/workspace" -p 9096:9096 drillmark
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/drillmark \
 && /opt/drillmark/bin/pip install --no-cache-dir '.[fleet,telling,load,postgres,report,aws]'

FROM python:3.12-slim
COPY --from=build /opt/drillmark /opt/drillmark
ENV PATH=/opt/drillmark/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DRILLMARK_WORKSPACE=/workspace
WORKDIR /workspace
USER 65534:65534
EXPOSE 9096
# A drill that is under way ends, or is handed over, before the container goes: give it its time (--stop-timeout 660).
STOPSIGNAL SIGTERM
ENTRYPOINT ["drillmark"]
CMD ["worker"]
