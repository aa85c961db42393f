# Begins every subject: a plain language, no traces, and lines that tell the parts of the answer.
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
HISTFILE=/dev/null; export HISTFILE
part() { printf '@@@ %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
patient() { # SECONDS COMMAND…: as long, and no longer, out of the way of what serves.
  seconds=$1; shift
  if has ionice; then set -- ionice -c 3 "$@"; fi
  if has timeout; then set -- timeout "$seconds" "$@"; fi
  nice -n 19 "$@"
}
# Who is connected, by how many sockets: `in HERE PORT THERE` or `out HERE PORT THERE`, as hex.
# Closed within the last minute (TIME_WAIT) counts: the kernel still has it in its tables.
connections() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '
    $4 == "0A" { split($2, at, ":"); listens[at[2]] = 1 }
    $4 ~ /^0[14568]$/ { seen[$2 " " $3]++ }
    END {
      for (pair in seen) {
        split(pair, end, " "); split(end[1], here, ":"); split(end[2], there, ":")
        if (here[2] in listens) line = "in " here[1] " " here[2] " " there[1]
        else line = "out " here[1] " " there[2] " " there[1]
        times[line]++
      }
      for (line in times) print times[line], line
    }'
}
