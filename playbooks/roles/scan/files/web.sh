# Configuration is read and not asked of nginx: `nginx -t` and `-T` make files.
master=$(ps -eo args= | sed -n 's/^nginx: master process //p' | head -n 1)
program=${master%% *}
case $program in /*) ;; *) program=$(command -v nginx || ls /usr/local/nginx/sbin/nginx 2>/dev/null) ;; esac
if [ -n "$program" ]; then
  part version; "$program" -v 2>&1
  part serving; [ -n "$master" ] && echo yes
  main=$(printf '%s\n' "$master" | sed -n 's/.* -c *\([^ ]*\).*/\1/p')
  [ -n "$main" ] || main=$("$program" -V 2>&1 | tr ' ' '\n' | sed -n 's/^--conf-path=//p')
  [ -n "$main" ] || main=/usr/local/nginx/conf/nginx.conf
  prefix=${main%/*}
  waiting=$main read=' '
  while [ -n "$waiting" ]; do
    next=
    for file in $waiting; do
      case $file in /*) ;; *) file=$prefix/$file ;; esac
      case $read in *" $file "*) continue ;; esac
      [ -f "$file" ] || continue
      read="$read$file "
      part file "$file"; cat "$file"; echo
      for more in $(sed -n 's/^[[:space:]]*include[[:space:]]*\([^;]*\);.*/\1/p' "$file"); do
        case $more in *mime.types | *_params | *.so) continue ;; /*) ;; *) more=$prefix/$more ;; esac
        next="$next $more"
      done
    done
    waiting=$next
  done
fi
for program in httpd apache2; do
  if has $program; then part apache; $program -v 2>/dev/null | head -n 1; fi
done
for file in /etc/apache2/ports.conf /etc/apache2/apache2.conf /etc/apache2/sites-enabled/* /etc/httpd/conf/httpd.conf \
  /etc/httpd/conf.d/*.conf /usr/local/apache2/conf/httpd.conf /usr/local/apache2/conf/extra/*.conf; do
  if [ -f "$file" ]; then part virtual "$file"; cat "$file"; echo; fi
done
