part passwd; getent passwd | cut -d: -f1,3-
part groups; getent group | cut -d: -f1,3- | grep -E '^(sudo|wheel|admin|docker|root|adm):'
