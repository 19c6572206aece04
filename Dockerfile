# Distill Workbench. The torch wheel of the index carries CUDA, so one image serves CPU and NVIDIA alike:
#   docker run --publish 8501:8501 --volume workbench:/workspace distill-workbench
#   docker run --gpus all --publish 8501:8501 --volume workbench:/workspace distill-workbench
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    WORKBENCH_HOME=/workspace

# A user of its own, who owns the workspace and nothing else.
RUN useradd --create-home --uid 1000 workbench \
    && install --directory --owner=workbench --group=workbench /workspace

WORKDIR /opt/distill-workbench
COPY requirements.txt requirements.lock ./
RUN python -m pip install --no-cache-dir --requirement requirements.txt --constraint requirements.lock \
    || { echo "The versions of requirements.lock cannot be had for this machine: taking the newest that requirements.txt allows."; \
         python -m pip install --no-cache-dir --requirement requirements.txt; }
COPY . ./

USER 1000
VOLUME ["/workspace"]
EXPOSE 8501
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "engine", "serve", "--address", "0.0.0.0", "--port", "8501"]
