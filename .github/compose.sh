#!/usr/bin/env bash
# Brings the containers of compose.yaml up, sends users through them and looks at every station as a user would.
# Usage: SOURCE_URL=http://fake-api:8090/api/1.4/ bash .github/compose.sh single|cluster
set -euo pipefail
cd "$(dirname "$0")/.."

set=${1:-}
case $set in
  single)
    api=http://localhost:8080 ingest=ingest postgres=postgres broker=broker scylla=scylla
    up=(docker compose --profile offline --profile observe up --build --wait --wait-timeout 1200)
    ;;
  cluster)
    api=http://localhost:18080 ingest=ingest-cluster postgres=postgres-cluster broker=broker-1 scylla=scylla-1
    up=(docker compose --profile offline --profile cluster up --build --wait --wait-timeout 1200
      fake-api ingest-cluster consume-cluster)
    ;;
  *)
    echo "usage: $0 single|cluster" >&2
    exit 2
    ;;
esac

say() { printf '\n== %s\n' "$*"; }

# Compares what a station has with what it should have.
expect() {
  echo "$1: $3 (expected $2)"
  [[ $3 == "$2" ]]
}

# Tries a command every two seconds for at most five minutes.
eventually() {
  local end=$((SECONDS + 300))
  until "$@"; do
    if ((SECONDS > end)); then
      echo "not within five minutes: $*" >&2
      return 1
    fi
    sleep 2
  done
}

# Starts a run of $1 users and waits until all of them are on the topic.
send() {
  local id
  id=$(curl -fsS -X POST "$api/api/runs" -H 'content-type: application/json' -d "{\"results\": $1}" | jq -e .id)
  eventually ended "$id"
  expect "run $id" success "$(curl -fsS "$api/api/runs/$id" | jq -r .state)"
}

ended() {
  curl -fsS "$api/api/runs/$1" | jq -e '.state | IN("success", "failed", "cancelled")' > /dev/null
}

rows() {
  docker compose exec -T "$scylla" cqlsh --no-color -e 'select count(*) from spark_streams.created_users' |
    grep -xE ' *[0-9]+' | tr -d ' '
}

has_rows() { [[ $(rows) == "$1" ]]; }

# Every station has $1 users.
check() {
  eventually has_rows "$1"
  expect "rows in the store" "$1" "$(rows)"
  expect "rows in PostgreSQL" "$1" \
    "$(docker compose exec -T "$postgres" psql -U postgres -qAtc 'select count(*) from raw_users')"
  # As they say in the tutorials, but for the end; each record has the eleven fields.
  expect "records on the topic" "$1" \
    "$(docker compose exec -T "$broker" /opt/kafka/bin/kafka-console-consumer.sh \
      --bootstrap-server "$broker:29092" --topic users_created --from-beginning \
      --max-messages "$1" --timeout-ms 60000 | jq -s 'map(select(length == 11)) | length')"
  docker compose exec -T "$ingest" bun run verify
}

# What Prometheus answers to a query: the value of its one series.
asked() {
  curl -fsS localhost:9090/api/v1/query --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // ""'
}

is() { [[ $(asked "$1") == "$2" ]]; }

# Prometheus scrapes both services, Grafana has the dashboard and reaches Prometheus, the Kafka UI reaches the broker.
observe() {
  eventually is 'sum(up)' 2
  eventually is 'max(pipeline_runs{state="success"})' 1
  eventually is 'sum(max by (partition) (pipeline_group_lag_records))' 0
  eventually is 'sum(pipeline_rows_written_total)' "$1"
  expect "Grafana's dashboard" users-pipeline \
    "$(curl -fsS localhost:3000/api/dashboards/uid/users-pipeline | jq -r .dashboard.title)"
  expect "Prometheus, by way of Grafana" "$1" \
    "$(curl -fsS 'localhost:3000/api/datasources/proxy/uid/prometheus/api/v1/query?query=sum(pipeline_rows_written_total)' |
      jq -r '.data.result[0].value[1]')"
  expect "the cluster in the Kafka UI" online "$(curl -fsS localhost:8082/api/clusters | jq -r '.[0].status')"
}

say "up"
"${up[@]}"
docker compose --profile '*' ps

say "1000 users"
send 1000
check 1000

if [[ $set == single ]]; then
  say "Prometheus, Grafana, Kafka UI"
  observe 1000
  say "new containers find the data of the old ones"
  docker compose --profile offline --profile observe down
  "${up[@]}"
else
  say "one broker and one store node less"
  docker compose --profile cluster kill broker-3 scylla-3
fi

say "1000 more"
send 1000
check 2000

say "down"
docker compose --profile '*' down --volumes
