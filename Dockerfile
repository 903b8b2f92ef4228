# The program, for CPUs and for NVIDIA's GPUs, and the server of compose.yaml; versions are those that make installs.
#
#   docker build -t lstm-pipeline .                                  the program, on CPUs
#   docker build -t lstm-pipeline:gpu --build-arg VARIANT=gpu .      with CUDA, which TensorFlow's own packages bring
#   docker build -t lstm-pipeline-server --target server .           PostgreSQL's driver, accounts, S3; no TensorFlow
#   docker run --rm --user "$(id -u):$(id -g)" --env USER -v "$PWD:/work" lstm-pipeline pipeline.run dataset=sine
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 lstm && install -d -o lstm -g lstm /work
COPY constraints.txt /opt/lstm-pipeline/

FROM base AS server
RUN python -m pip install -c /opt/lstm-pipeline/constraints.txt "mlflow[auth]" "psycopg[binary]" boto3
COPY deploy/basic_auth.ini /opt/lstm-pipeline/deploy/
RUN install -d -o lstm -g lstm /artifacts
ENV MLFLOW_AUTH_CONFIG_PATH=/opt/lstm-pipeline/deploy/basic_auth.ini MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER lstm
WORKDIR /work
EXPOSE 5000
# No password is in the command: PGHOST, PGUSER and PGPASSWORD say where the database is and who may in.
ENTRYPOINT ["python", "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "0.0.0.0", "--port", "5000", \
    "--backend-store-uri", "postgresql+psycopg:///mlflow", "--serve-artifacts"]
CMD ["--artifacts-destination", "file:///artifacts"]

FROM base AS program
ARG VARIANT=cpu
WORKDIR /opt/lstm-pipeline
RUN python -m pip install -c constraints.txt setuptools wheel hatchling editables
COPY pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY conf conf
COPY data data
# psycopg and boto3: for tracking.uri=postgresql://... and for artifacts in s3://...
RUN case "$VARIANT" in cpu) extras=excel ;; gpu) extras=excel,gpu ;; *) echo "VARIANT is cpu or gpu" >&2; exit 2 ;; esac \
    && python -m pip install -c constraints.txt --no-build-isolation ".[$extras]" "psycopg[binary]" boto3
# There is no git here, and with --user neither a name nor a home for the number. --env USER says whose a run is.
ENV GIT_PYTHON_REFRESH=quiet USER=lstm HOME=/tmp
USER lstm
WORKDIR /work
ENTRYPOINT ["python", "-m"]
CMD ["pipeline.run", "--help"]
