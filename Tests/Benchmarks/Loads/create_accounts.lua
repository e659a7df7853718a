-- POSTs one new account per request; no two share an email, also across runs (BENCH_RUN) and threads.
dofile(os.getenv("BENCH_LOADS") .. "/report.lua")

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local prefix, count
function init()
  prefix = string.format("b%s-%d-", os.getenv("BENCH_RUN"), number)
  count = 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  count = count + 1
  return wrk.format(nil, nil, nil, string.format(
    '{"name":"Account %d","email":"%s%d@example.com","balance":%d,"currency":"EUR"}',
    count, prefix, count, count))
end
