#!/usr/bin/env bash
# Starts a target, runs a command against it, and ends it:
#   with-target.sh START COMMAND…
# START prints the target's URL in its first line; the command finds it in BASE_URL. Where BASE_URL is set, the target
# runs already: then nothing is started. Ends with the code of the command.
set -euo pipefail

start=$1
shift
if [[ -z ${BASE_URL:-} ]]; then
  coproc TARGET { exec bash -c "$start"; }
  pid=$TARGET_PID
  trap 'kill "$pid" 2>/dev/null || true' EXIT
  exec 3<&"${TARGET[0]}"
  read -r BASE_URL <&3 || {
    echo "with-target.sh: the target has ended without saying where it is" >&2
    exit 107
  }
  export BASE_URL
  # Whatever it says later is of no use, and must not make it wait.
  cat <&3 >/dev/null &
fi

authority=${BASE_URL#*://}
authority=${authority%%/*}
for ((attempt = 0; ; attempt++)); do
  # Quietly: until it listens, every attempt says that it does not.
  if (exec 4<>"/dev/tcp/${authority%:*}/${authority##*:}") 2>/dev/null; then
    break
  fi
  if ((attempt >= ${WAIT_SECONDS:-60})); then
    echo "with-target.sh: nobody listens at $BASE_URL" >&2
    exit 107
  fi
  sleep 1
done
"$@"
