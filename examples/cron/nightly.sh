#!/bin/sh
# Started by cron, see crontab. /etc/migrate/nightly.env has mode 0600, belongs to the user migrate, and holds lines such as
#   LAKE=/srv/lake
#   DWH_DSN=postgres://loader:…@dwh.example.com/warehouse
#   MIGRATE_INSTANCE_URL=https://acme.my.salesforce.com
#   MIGRATE_CLIENT_ID=…
#   MIGRATE_CLIENT_SECRET_FILE=/etc/migrate/client-secret
umask 077
log=${LOG:-/var/log/migrate/nightly.log}
set -a
. "${ENV_FILE:-/etc/migrate/nightly.env}"
set +a

tries=3
while :; do
	migrate run /etc/migrate/nightly.yaml --resume --max-duration 5h --state-dir /var/lib/migrate --stats 1m >>"$log" 2>&1
	code=$?
	tries=$((tries - 1))
	[ $code = 5 ] && [ $tries -gt 0 ] || break
	sleep 600
done

case $code in
0) ;;                                                                            # all is there
3) echo "the nightly run has ended, and some rows of its loads were refused" ;;  # they are in failed.csv of the run
5) echo "the network, the org or the database is away; the next night goes on" ;;
7) echo "the nightly run has stopped at a limit; the next night goes on" ;;      # five hours, or API calls
8) ;;                                                                            # the run of the night before still works
130) ;;                                                                          # the machine goes down; the next night goes on
# Nothing of these goes away by itself: 1 unexpected, 2 configuration or a file that is in the way, 4 the plan does not fit the org any more,
# 6 login or permission, 10 rows are not accounted for.
*) echo "the nightly run needs somebody (exit code $code)" ;;
esac
case $code in 0 | 8 | 130) ;; *) tail -n 20 "$log" ;; esac
exit $code
