if has dpkg-query; then
  part packages dpkg; dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Version}\n' 2>/dev/null || dpkg-query -W -f 'installed\t${Package}\t${Version}\n'
elif has rpm; then
  part packages rpm; rpm -qa --qf 'installed\t%{NAME}\t%{VERSION}-%{RELEASE}\n'
fi
