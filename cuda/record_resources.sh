#!/bin/sh
# record_resources.sh COMPILER ARGUMENT... -o OBJECT ...: compiles, and moves what ptxas -v says of
# the kernels' resources from the messages to OBJECT.resources, which scripts/kernel_budget.py reads.
object= previous=
for argument; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
resources='^ptxas info *: *(Compiling entry|Function properties|Used [0-9]+ reg|Compile time|[0-9]+ bytes gmem)|bytes stack frame'
"$@" 2>"$object.messages"
status=$?
grep -E "$resources" "$object.messages" >"$object.resources"
grep -Ev "$resources" "$object.messages" >&2
rm "$object.messages"
exit $status
