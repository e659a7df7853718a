-- Spreads requests over the keys in BENCH_KEYS, one text of equal length per line. The texts stay one block:
-- a million Lua strings would cost the generator more than the host is asked to do.
dofile(os.getenv("BENCH_LOADS") .. "/report.lua")

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local block, width, count, state, head, tail
function init()
  local file = assert(io.open(os.getenv("BENCH_KEYS"), "rb"))
  block = file:read("*a")
  file:close()
  width = block:find("\n", 1, true)
  count = math.floor(#block / width)
  state = number * 7919 + 1
  -- The request around the key: everything wrk would send, cut where the key goes.
  wrk.headers["Authorization"] = "Bearer @@"
  local whole = wrk.format("GET")
  local at = whole:find("@@", 1, true)
  head, tail = whole:sub(1, at - 1), whole:sub(at + 2)
end

function request()
  -- Numerical Recipes' congruential generator; the remainder spreads over all keys.
  state = (state * 1664525 + 1013904223) % 4294967296
  local start = (state % count) * width
  return head .. block:sub(start + 1, start + width - 1) .. tail
end
