#!/usr/bin/env bash
# Gate a checkpoint, keep what the gate said, and publish what passed.
#
#     release.sh CHECKPOINT [POLICY] [HISTORY] [PUBLISHED]
#
# Ends with the gate's exit code: 0 published; 1 failed; 4 inconclusive; 2 bad input.
set -euo pipefail

checkpoint=${1:?usage: release.sh CHECKPOINT [POLICY] [HISTORY] [PUBLISHED]}
policy=${2:-gates.toml}
history=${3:-releases}
published=${4:-published}

status=0
gandiag gate "$checkpoint" --policy "$policy" --baseline "$history@last-passed" --first-release \
  --record "$history" --junit gate.xml --markdown gate.md || status=$?

case $status in
  0) mkdir -p "$published" && cp -- "$checkpoint" "$published/" && echo "published $checkpoint" >&2 ;;
  1) echo "not published: a gate failed" >&2 ;;
  4) echo "not published: inconclusive; gate it with --escalate, or with more samples" >&2 ;;
  *) echo "not published: the gate could not decide" >&2 ;;
esac
exit "$status"
