# The table as root's crontab has it carries the user in its sixth field; others do not.
for file in /etc/crontab /etc/cron.d/*; do
  if [ -f "$file" ]; then part system "$file"; cat "$file"; echo; fi
done
for file in /var/spool/cron/crontabs/* /var/spool/cron/tabs/* /var/spool/cron/*; do
  if [ -f "$file" ]; then part user "$file"; cat "$file"; echo; fi
done
for folder in hourly daily weekly monthly; do
  for file in /etc/cron.$folder/*; do
    if [ -x "$file" ]; then part script "$folder $file"; fi
  done
done
if has systemctl; then part timers; systemctl list-timers --all --no-legend --no-pager; fi
