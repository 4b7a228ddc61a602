#!/usr/bin/env bash
# Compares the results of a suite with those of an earlier run:
#   compare.sh BEFORE AFTER [options of `sentinel compare`…]
# BEFORE and AFTER are folders of run-suite.sh. What has no counterpart is new, and fails nothing. Ends with 99 when
# anything became worse, by more than chance and more than the tolerance.
set -euo pipefail

before=$1
after=$2
shift 2
code=0
for file in "$after"/*.json; do
  name=$(basename "$file")
  if [[ ! -f $before/$name ]]; then
    echo "$name: there is nothing to compare it with"
    continue
  fi
  echo "::group::$name"
  "${SENTINEL:-sentinel}" compare "$before/$name" "$file" --fail-on-regression "$@" || code=$?
  echo "::endgroup::"
done
exit "$code"
