#!/usr/bin/env bash
# Plays a suite, scenario by scenario, and keeps what came out:
#   run-suite.sh SUITE PROFILE [SCENARIO|all] [options of `sentinel run`…]
# SUITE is a folder below scenarios/. PROFILE is asked for by name; `own` plays the load that each scenario has.
# BASE_URL says where to, RESULTS where files go (load-test-results), SENTINEL which command is used (sentinel).
# All scenarios are played, also after one that failed. Ends with the code of the first that did.
set -euo pipefail

suite=$1
profile=$2
scenario=${3:-all}
shift $(($# < 3 ? $# : 3))
: "${BASE_URL:?says where the load goes}"
results=${RESULTS:-load-test-results}
folder=$(cd "$(dirname "$0")/../.." && pwd)/scenarios/$suite

if [[ $scenario == all ]]; then
  files=("$folder"/*.json)
else
  files=("$folder/$scenario.json")
fi
if [[ ! -f ${files[0]} ]]; then
  echo "run-suite.sh: there is no ${files[0]}" >&2
  exit 104
fi
options=("$@")
if [[ $profile != own ]]; then
  options+=(--profile "$profile")
fi

mkdir -p "$results"
first_failure=0
for file in "${files[@]}"; do
  to=$results/$suite-$(basename "$file" .json)
  echo "::group::$suite $(basename "$file" .json) ($profile)"
  code=0
  "${SENTINEL:-sentinel}" run "$file" --base-url "$BASE_URL" "${options[@]}" \
    --out "json=$to.json" --out "html=$to.html" --out "junit=$to.junit.xml" || code=$?
  echo "::endgroup::"
  if ((code != 0)); then
    echo "::error::$suite $(basename "$file" .json): exit code $code"
    first_failure=$((first_failure == 0 ? code : first_failure))
  fi
done
exit "$first_failure"
