#!/usr/bin/env bash
# Puts the results of a run in the place of those that later ones are compared with:
#   keep.sh RESULTS BASELINE
set -euo pipefail

rm -rf "$2"
mkdir -p "$2"
cp "$1"/*.json "$2"/
