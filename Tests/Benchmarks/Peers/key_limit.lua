-- What a gateway on nginx+Lua does before it answers: find the caller's key by its SHA-256, count the call
-- against the caller's limit, refuse with 401 or 429. Loaded once per worker.
local ffi = require("ffi")
ffi.cdef [[ unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md); ]]

local keys, counts = ngx.shared.keys, ngx.shared.counts
local digest = ffi.new("unsigned char[32]")
local C, sub = ffi.C, string.sub
local LIMIT, WINDOW_S = 1000000000, 60

local Gate = { LIMIT = LIMIT, WINDOW_S = WINDOW_S }

-- The nginx worker has libcrypto loaded, so the hash costs one foreign call.
local function hash(text)
  C.SHA256(text, #text, digest)
  return ffi.string(digest, 32)
end

-- Fills the table of keys from a file of one key text per line. Runs once, in the master.
function Gate.load(path)
  for key in io.lines(path) do keys:set(hash(key), "principal-" .. sub(key, 4, 15)) end
end

-- Returns whose call it is and how many are left.
function Gate.admit()
  local header = ngx.var.http_authorization
  if not header or sub(header, 1, 7) ~= "Bearer " then return ngx.exit(401) end
  local principal = keys:get(hash(sub(header, 8)))
  if not principal then return ngx.exit(401) end
  -- One atomic step per call: the cheapest limit that holds across workers.
  local left = counts:incr(principal, -1, LIMIT, WINDOW_S)
  if left < 0 then return ngx.exit(429) end
  return principal, left
end

return Gate
