# rac on a CPU: the library, the embedded model and the HTTP service with its page.
#
# No image was built from this file yet, for want of a Docker daemon; docs/integrations.md says what was checked.
#
#   docker build -t rac .
#   docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/runs:/data/runs:ro" -v rac-state:/data/state rac \
#       serve /data/runs/quickstart --host 0.0.0.0 --feedback /data/state/feedback.sqlite
#
# Any other command of rac goes behind the image's name as well: docker run --rm rac ask "mercury" --corpus wikipedia
FROM python:3.11-slim-bookworm AS build

# The registry's own torch brings several GB for GPUs; this index holds the CPU build.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/rac
WORKDIR /src
COPY requirements/ requirements/
# Layers from what changes least to what changes most, so that a change of the code downloads nothing again.
RUN /opt/rac/bin/pip install "$(grep '^torch==' requirements/core.txt)" --index-url "$TORCH_INDEX" \
    && /opt/rac/bin/pip install -r requirements/core.txt \
    && /opt/rac/bin/pip install --no-deps -r requirements/embedded.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
# What the service and the readers of documents need, in the pinned versions.
RUN /opt/rac/bin/pip install -c requirements/core.txt -c requirements/test.txt -c requirements/all.txt \
        '.[serve,documents]'

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 rac && mkdir -p /data/runs /data/state && chown rac /data/state
COPY --from=build /opt/rac /opt/rac
USER rac
ENV PATH=/opt/rac/bin:$PATH HF_HUB_OFFLINE=1 RAC_CACHE=/home/rac/.cache/rac PYTHONUNBUFFERED=1
# The embedded model is converted once, here, and not at the first question.
RUN python -c "from rac.models import embedded_model_dir; embedded_model_dir()"
WORKDIR /data/state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["rac"]
CMD ["serve", "--host", "0.0.0.0"]
