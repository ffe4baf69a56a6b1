-- Reads: things, lists, pages of events.
dofile(os.getenv("LOAD_DIR") .. "/common.lua")

local paths = {
  "/api/v1/runs/1", "/api/v1/runs?limit=20", "/api/v1/host", "/api/v1/runs/2",
  "/api/v1/backends", "/api/v1/runs/1/report", "/api/v1/modules?limit=20", "/api/v1",
}
local next = 0

function request()
  next = next % #paths + 1
  return wrk.format("GET", paths[next])
end
