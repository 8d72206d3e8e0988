# What every target does is printed by a bare `make`. All state stays in .local/.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# The virtual environment's interpreter once it exists: on the warm path nothing else has to start.
BOOT := $(firstword $(wildcard .local/venv/bin/python) python3) compose/local/bootstrap.py
RUN := $(BOOT) local
VENV := .local/venv/bin
COMPILE := $(VENV)/python -m uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --quiet

# what bench and load measure: a system of their own, or the one at these addresses
MEASURED = $(foreach name,out state base logger rpc grpc mongo,$(if $($(name)),--$(name) "$($(name))"))

# Byte code lies in .local, so that the tree stays clean; writing none at all would make every start slow.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/pycache

##@ The system on this machine
.PHONY: up down status logs restart env doctor reset seed-logs
up: ## start everything and wait until it is ready (move a port: make up BROKER_PORT=9080)
	@$(RUN) up
down: ## stop everything, in reverse order
	@$(RUN) down
status: ## one line for each part: state, pid, restarts, memory, address
	@$(RUN) status || [ $$? -eq 3 ]
logs: ## all logs in order of time; s=auth: only that part, f=1: follow, f=0: do not, n=500: more lines
	@$(RUN) logs $(if $(s),--only $(s)) $(if $(filter 1,$(f)),--follow) $(if $(filter 0,$(f)),--no-follow) $(if $(n),--lines $(n))
restart: ## restart s=auth (several: s=auth,broker; all parts when s is not given)
	@$(RUN) restart $(s)
env: ## every address and development credential of the running system as NAME=value
	@$(RUN) env
doctor: ## what was found on this machine, which fallback is used, which ports are taken
	@$(RUN) doctor
reset: ## stop and delete all data (asks; yes=1 does not)
	@$(RUN) reset $(if $(filter 1,$(yes)),--yes)

seed-logs: ## fill the log store with n=2000000 made-up entries of the last hours=24, and tell which words they hold (out=FILE: as JSON)
	@$(BOOT) local
	@$(VENV)/python -m tests.seeding $(if $(n),-n $(n)) $(if $(hours),--hours $(hours)) $(if $(out),--out "$(out)")

##@ The same, by the names of the original system
.PHONY: up_build build_broker build_auth build_logger build_mail build_listener start stop
up_build: ## stop, refresh the packages, byte-compile all services, start everything
	@$(RUN) down
	@$(RUN) build
	@$(RUN) up
build_broker: ## refresh the packages, byte-compile the broker, restart it if it runs
	@$(RUN) build broker
build_auth: ## the same for auth
	@$(RUN) build auth
build_logger: ## the same for the logger
	@$(RUN) build logger
build_mail: ## the same for the mailer
	@$(RUN) build mailer
build_listener: ## the same for the worker
	@$(RUN) build worker
start: ## start the front end only
	@$(RUN) up --only frontend
stop: ## stop the front end only
	@$(RUN) stop frontend

##@ Work on the code
.PHONY: test test-unit test-faults bench load lint format protos lock tools
test: tools ## all tests, on real servers of their own (t=tests/unit: only those)
	@$(VENV)/python -m pytest $(or $(t),tests)
test-unit: ## the tests that need no server
	@$(BOOT) dev
	@$(VENV)/python -m pytest tests/unit
bench: ## speed of every door against its bars (only=drain,jsonrpc c=64 quick=1 out=FILE; base=URL: another system, docs/performance.md)
	@$(BOOT) dev
	@exec $(VENV)/python -m tests.bench bench $(if $(only),--only $(only)) $(if $(c),--concurrency $(c)) \
		$(if $(filter 1,$(quick)),--quick) $(MEASURED)
load: ## ten minutes at 1,000 requests/s through the broker's log door (minutes=10 rate=1000 out=FILE base=URL)
	@$(BOOT) dev
	@exec $(VENV)/python -m tests.bench load $(if $(minutes),--minutes $(minutes)) $(if $(rate),--rate $(rate)) $(MEASURED)
test-faults: ## the ledger test: each part fails in every way under load, nothing acknowledged may be missing (only=logger:kill,all,logger+rabbitmq runs=3 out=FILE)
	@$(BOOT) dev
	@exec $(VENV)/python -m tests.faults $(if $(only),--only $(only)) $(if $(runs),--runs $(runs)) $(if $(out),--out $(out))
lint: ## ruff, formatting, types, layers
	@$(BOOT) dev
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/python -m mypy
	@$(VENV)/lint-imports
format: ## repair what ruff can repair
	@$(BOOT) dev
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .
tools: ## what the tests need besides Python: Go, Chromium and wrk
	@$(BOOT) dev tools
protos: ## generate the gRPC stubs anew
	@$(BOOT) dev
	@$(VENV)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. protos/*.proto
lock: ## resolve and lock all packages anew (upgrade=1: to their newest versions)
	@$(BOOT) dev
	@$(COMPILE) $(if $(filter 1,$(upgrade)),--upgrade) --group dev --output-file requirements/dev.txt
	@$(COMPILE) --group local -c requirements/dev.txt --output-file requirements/local.txt
	@$(COMPILE) -c requirements/dev.txt --output-file requirements/services.txt

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-zA-Z_-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "First time here? Type: make up"
