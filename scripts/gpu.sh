#!/usr/bin/env bash
# All that is worth knowing from a machine with a GPU, in one command and under nine minutes: builds, checks values,
# profiles against the roofline, times the peers, runs the sanitizers and the tests. A step that fails does not stop the
# others.
set -u -o pipefail

usage() {
  cat <<'END'
Usage: scripts/gpu.sh [options] [folder]

Writes a report to the folder (default: gpu-report): summary.md, log.txt with all output, and JSON of what
was checked and timed. Needs an NVIDIA GPU with its driver, the CUDA toolkit 13 (nvcc, compute-sanitizer), CMake 3.25, a
C++20 compiler, and Python 3 with PyTorch. Where there is Node, its headers beside it, with the installed packages, the
mocha suites run on the GPU as well.

  --dry-cpu            what needs no GPU: the build, the checks on the interpreter, profiles of the processor
  --programs <folder>  take gmr_profile and the libraries from there instead of building, and gmr.node from a folder
                       build/Release
  --reference <module:Class>
                       among the peers, a ring layer of a Python package, made as torch.nn.Conv2d is
  --help               this text

Exit code: 0; 1 where a step failed; 2 for a mistake in the options.
END
}

refuse() {
  printf 'gpu.sh: %s\n' "$1" >&2
  exit 2
}

total_seconds=520
dry=false
programs=''
reference=()
report=''
while (($# > 0)); do
  case $1 in
    --help)
      usage
      exit 0
      ;;
    --dry-cpu)
      dry=true
      total_seconds=1500 # no GPU is kept waiting, and two cores take minutes to build
      ;;
    --programs)
      (($# > 1)) || refuse 'expected a folder behind --programs'
      [[ -x $2/gmr_profile ]] || refuse "expected gmr_profile in the folder of --programs, received '$2'"
      programs=$(realpath -- "$2")
      shift
      ;;
    --reference)
      (($# > 1)) || refuse 'expected module:Class behind --reference'
      reference=(--reference "$2")
      shift
      ;;
    -*) refuse "expected an option that --help shows, received '$1'" ;;
    *)
      [[ -z $report ]] || refuse "expected one folder, received '$report' and '$1'"
      report=$1
      ;;
  esac
  shift
done
report=${report:-gpu-report}
mkdir -p -- "$report" 2>/dev/null || refuse "expected to make the folder '$report', cannot"
report=$(realpath -- "$report")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1

readonly log=$report/log.txt summary=$report/summary.md
scratch=$(mktemp -d) || exit 1
trap 'rm -rf -- "$scratch"' EXIT
: >"$log"
rows=''
sections=''
failed=0

device_text() {
  if $dry; then
    printf 'none asked: --dry-cpu\n'
  else
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null ||
      printf 'no nvidia-smi\n'
  fi
}

commit_text() {
  local commit
  if ! commit=$(git rev-parse --short HEAD 2>/dev/null); then
    printf 'unknown'
  elif git diff --quiet HEAD; then
    printf '%s' "$commit"
  else
    printf '%s with changes' "$commit"
  fi
}

cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
title=$(
  printf -- '# GPU report\n\n- commit: %s\n- date: %s\n- device: %s\n- processor: %s, %s cores\n' \
    "$(commit_text)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(device_text)" "$cpu" "$(nproc)"
)
readonly title

# After each step, so that a run that is cut off leaves what it had.
write_summary() {
  printf '%s\n\n| step | result | seconds |\n| --- | --- | --- |\n%s\n%s' "$title" "$rows" "$sections" >"$summary"
}

# finish <name> <result> <seconds> <text to show>
finish() {
  rows+="| $1 | $2 | $3 |"$'\n'
  if [[ -n $4 ]]; then sections+="## $1: $2"$'\n\n```\n'"$4"$'\n```\n\n'; fi
  printf '%-20s %s (%s s)\n' "$1" "$2" "$3"
  write_summary
}

skip() { finish "$1" "skipped: $2" 0 ''; }

# step <name> <seconds at most> <lines of its output that the summary shows> <command...>
step() {
  local name=$1 limit=$2 lines=$3 start=$SECONDS code
  shift 3
  ((limit > total_seconds - SECONDS)) && limit=$((total_seconds - SECONDS))
  if ((limit < 5)); then
    failed=1
    finish "$name" '**not run: no time left**' 0 ''
    return 1
  fi
  timeout --kill-after=5 "$limit" "$@" >"$scratch/out" 2>&1
  code=$?
  {
    printf '\n==== %s: %s\n' "$name" "$*"
    cat -- "$scratch/out"
  } >>"$log"
  local result=ok
  if ((code != 0)); then
    failed=1
    lines=40
    result="**failed** (exit code $code)"
    ((code == 124 || code == 137)) && result="**failed** (stopped after $limit s)"
  fi
  finish "$name" "$result" $((SECONDS - start)) "$(tail -n "$lines" -- "$scratch/out")"
  return "$code"
}

# Of the first GPU: 90 for 9.0.
compute_capability() {
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. '
}

# shellcheck disable=SC2317  # called by name
machine() {
  $dry || nvidia-smi
  local tool
  for tool in nvcc cmake c++ python3 compute-sanitizer node; do
    if command -v "$tool" >/dev/null; then
      printf '%s: %s\n' "$tool" "$("$tool" --version 2>&1 | grep -m 1 -E '[0-9]+\.[0-9]+')"
    else
      printf '%s: not there\n' "$tool"
    fi
  done
}

# Why the mocha suites cannot be run, or nothing.
why_no_mocha() {
  if $dry; then
    printf 'npm test runs the suites'
  elif ! command -v node >/dev/null; then
    printf 'there is no Node'
  elif [[ ! -d node_modules ]]; then
    printf 'the packages are not installed (npm install)'
  elif [[ $programs != '' && ! ($programs == */build/Release && -e $programs/gmr.node) ]]; then
    printf 'there is no build/Release/gmr.node in %s' "$programs"
  elif [[ $programs == '' && ! -e $node_headers/node_api.h ]]; then
    printf 'there are no headers beside Node'
  fi
}

# The GPU's machine code, and its PTX, so that the interpreter runs the kernels that the GPU runs.
# shellcheck disable=SC2317  # called by name
build() {
  local options=(-DCMAKE_BUILD_TYPE=Release) addon=() generator=() target
  if [[ $capability != '' ]]; then
    options+=("-DGMR_CUDA_ARCHITECTURES=$capability-real;$capability-virtual"
      "-DGMR_CUDA_SIM_ARCHITECTURES=$capability-virtual")
  fi
  if [[ $no_mocha == '' ]]; then
    options+=("-DCMAKE_JS_INC=$node_headers")
    addon=(gmr gmr_cuda_sim_control)
  else
    options+=(-DGMR_ADDON=OFF)
  fi
  command -v ninja >/dev/null && generator=(-G Ninja)
  cmake -S . -B build-gpu/build "${generator[@]}" "${options[@]}" || return
  for target in gmr_profile_with_backends "${addon[@]}"; do
    cmake --build build-gpu/build --target "$target" --parallel "$(nproc)" || return
  done
}

# The mocha suites, on the GPU alone. Titles have (cuda), (cuda, bfloat16), (cuda sm_90), or begin with cuda sm_90:
# GMR_CONV_PREBUILD is where node-gyp-build looks for build/Release/gmr.node.
# shellcheck disable=SC2317  # called by name
mocha_suites() {
  npx tsc -p . &&
    GMR_CONV_PREBUILD=${programs%/build/Release} GMR_CUDA_SIM_ARCH=$capability \
      npx mocha --grep '\bcuda( sm_[0-9]+)?([),]|: )'
}

export -f machine build mocha_suites
export dry
capability=''
$dry || capability=$(compute_capability)
node_headers=$(node -p 'path.resolve(process.execPath, "../../include/node")' 2>/dev/null)
no_mocha=$(why_no_mocha)
export capability node_headers no_mocha

step machine 30 60 bash -c machine
if [[ $programs == '' ]]; then
  step build $((total_seconds / 2)) 2 bash -c build
  programs=$PWD/build-gpu/build/Release
else
  skip build "taken from --programs"
fi
export programs
readonly programs profile=$programs/gmr_profile

if $dry; then
  readonly batch=1 samples=(--repeat 3) device=cpu suite_seconds=240 # seconds where nothing else runs
  if [[ -e $programs/libgmr_cuda_sim.so ]]; then
    step check-cuda-sim 120 60 "$profile" --check --device cuda_sim --against cpu --json "$report/check.json"
  else
    skip check-cuda-sim 'there is no nvcc, so there is no interpreter'
  fi
else
  readonly batch=32 samples=() device=cuda suite_seconds=60
  step check 60 60 "$profile" --check --device cuda --against cpu --json "$report/check.json"
  # The same cases on the GPU and on the interpreter of the very same kernels: what differs is the interpreter's error.
  GMR_CUDA_SIM_ARCH=$capability step calibration 60 60 \
    "$profile" --check --device cuda --against cuda_sim --json "$report/calibration.json"
fi

readonly types=(--dtype 'float32,bf16') precisions=(--precision 'highest,high')
suite() {
  step "$1" $suite_seconds 300 "$profile" --device $device --batch $batch "${samples[@]}" "${types[@]}" --suite "${@:2}"
}
suite profile-layers layers "${precisions[@]}" --json "$report/layers.json"
suite profile-resnet18 resnet18 --json "$report/resnet18.json"
suite profile-cold all --cold --json "$report/cold.json" \
  --op activation,add,avg_pool,batch_norm,cross_entropy,global_avg_pool,max_pool,pad,reduce,rotate,sgd

if $dry; then
  skip profile-graph 'it needs a GPU'
  skip nsys 'it needs a GPU'
else
  # The same without what launches cost: what is much faster so waits for the host.
  step profile-graph 60 160 "$profile" --device cuda --suite layers --batch $batch "${types[@]}" --graph
  # The time of each kernel, where a pass has several.
  if command -v nsys >/dev/null; then
    step nsys 60 160 nsys profile --trace cuda,nvtx --stats true --force-overwrite true --output "$scratch/nsys" \
      "$profile" --device cuda --suite layers --batch $batch "${types[@]}" --once --nvtx
  else
    skip nsys 'there is no nsys'
  fi
fi

peer=(python3 bench/peer/torch_peer.py --batch "$batch" --profile "$report/layers.json" --json "$report/peers.json"
  "${reference[@]}")
if ! $dry; then
  step peers 120 200 "${peer[@]}" --limit 90
elif python3 -c 'import torch' 2>/dev/null; then
  step peers 60 200 "${peer[@]}" --device cpu --layers 1 --limit 40
else
  skip peers 'python3 has no PyTorch'
fi

if $dry; then
  skip sanitizers 'they need a GPU'
else
  sanitizer() {
    step "$1" "$2" 12 compute-sanitizer --tool "$1" --error-exitcode 9 "$profile" --check --device cuda --against cpu
  }
  sanitizer memcheck 60
  sanitizer racecheck 60
  sanitizer initcheck 40
  sanitizer synccheck 40
fi

if [[ $no_mocha == '' ]]; then
  step mocha 240 40 bash -c mocha_suites
else
  skip mocha "$no_mocha"
fi

printf '\nReport: %s\n' "$summary"
exit "$failed"
