-- What Council does for every call, done by a gateway on nginx+Lua: key and limit as in key_limit.lua, then the caller's
-- permission, the rules of the parameter, the answer, and the headers that tell callers and operators about it. Its row
-- of the audit log is nginx's access log (peers.py).
local gate = require("key_limit")

local scopes = ngx.shared.scopes
local find, format, gsub, random, sub = string.find, string.format, string.gsub, math.random, string.sub
local POLICY = format('"default";q=%d;w=%d', gate.LIMIT, gate.WINDOW_S)

local Gateway = {}

-- Every key of the file may call hello. Runs once, in the master.
function Gateway.load(path)
  gate.load(path)
  for key in io.lines(path) do scopes:set("principal-" .. sub(key, 4, 15), " accounts:read hello:read ") end
end

-- Runs once in each worker: ids of two workers must differ.
function Gateway.seed() math.randomseed(ngx.worker.pid() + ngx.now() * 1000) end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }
local function escaped(character)
  return ESCAPES[character] or format("\\u%04x", character:byte())
end

function Gateway.answer()
  local principal, left = gate.admit()
  local held = scopes:get(principal)
  if not held or not find(held, " hello:read ", 1, true) then return ngx.exit(403) end
  local name = sub(ngx.var.uri, 8)
  -- Characters, not bytes.
  local _, following = gsub(name, "[\128-\191]", "")
  local length = #name - following
  if length < 1 or length > 100 then return ngx.exit(400) end

  local id = ngx.var.request_id
  local body = '{"message":"Hello, ' .. gsub(name, '[%c"\\]', escaped) .. '!"}'
  local header = ngx.header
  header["Content-Length"] = #body
  header["Vary"] = "Accept, Prefer"
  header["X-Request-Id"] = id
  header["traceparent"] = format("00-%s-%08x%08x-01", id, random(0, 0xFFFFFFFF), random(1, 0xFFFFFFFF))
  header["RateLimit-Policy"] = POLICY
  header["RateLimit"] = format('"default";r=%d;t=%d', left, gate.WINDOW_S - ngx.time() % gate.WINDOW_S)
  ngx.var.principal = principal
  ngx.print(body)
end

return Gateway
