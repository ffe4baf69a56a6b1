-- Uploads: one module again and again under many names, and one that is none.
dofile(os.getenv("LOAD_DIR") .. "/common.lua")

local file = io.open(os.getenv("LOAD_MODULE"), "rb")
local module = file:read("*a")
file:close()
local headers = { ["Content-Type"] = "application/octet-stream" }
local next = 0

function request()
  next = next + 1
  local body = module
  if next % 8 == 0 then body = "no module" end
  return wrk.format("POST", "/api/v1/modules?name=load" .. next % 100 .. ".ko", headers, body)
end

-- So many at once that some are refused with 429; nobody sends the next at once.
function delay() return 50 end
