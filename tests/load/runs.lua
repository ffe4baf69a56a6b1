-- Runs: small worlds on the simulator, and comparisons.
dofile(os.getenv("LOAD_DIR") .. "/common.lua")

local bodies = {
  '{"world":"printk","kind":"run","backends":["sim"]}',
  '{"world":"revoke"}',
  '{"world":"generated-code","kind":"run","backends":["sim"]}',
}
local headers = { ["Content-Type"] = "application/json" }
local next = 0

function request()
  next = next % #bodies + 1
  return wrk.format("POST", "/api/v1/runs", headers, bodies[next])
end

function delay() return 250 end
