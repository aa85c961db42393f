if has systemctl; then
  part running; systemctl list-units --type=service --state=running --no-legend --no-pager --plain
  part enabled; systemctl list-unit-files --type=service --state=enabled --no-legend --no-pager
else
  part scripts; service --status-all 2>/dev/null
  part levels; chkconfig --list 2>/dev/null
fi
# Names only: arguments may hold passwords.
part processes; ps -eo user=,comm= | sort | uniq -c
