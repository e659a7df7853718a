-- Spreads requests over the paths in BENCH_PATHS, one per line. Every request is formatted beforehand, so
-- ten paths and ten thousand cost the generator the same.
dofile(os.getenv("BENCH_LOADS") .. "/report.lua")

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local formatted, count, at = {}, 0, 0
function init()
  for path in io.lines(os.getenv("BENCH_PATHS")) do
    count = count + 1
    formatted[count] = wrk.format("GET", path)
  end
  -- Fisher-Yates, another order in each thread: neighbours in the file are not asked for in a row.
  math.randomseed(number + 1)
  for i = count, 2, -1 do
    local j = math.random(i)
    formatted[i], formatted[j] = formatted[j], formatted[i]
  end
end

function request()
  at = at % count + 1
  return formatted[at]
end
