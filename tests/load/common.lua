-- What all the clients share: counting answers by status, and telling the sum as a line of JSON.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init()
  statuses = ""
  counts = {}
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
  -- Only texts and numbers can be read from outside a thread.
  statuses = ""
  for code, count in pairs(counts) do
    statuses = statuses .. code .. "=" .. count .. " "
  end
end

function done(summary, latency)
  local sum = {}
  for _, thread in ipairs(threads) do
    for code, count in thread:get("statuses"):gmatch("(%d+)=(%d+)") do
      sum[code] = (sum[code] or 0) + count
    end
  end
  local parts = {}
  for code, count in pairs(sum) do
    table.insert(parts, '"' .. code .. '":' .. count)
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format(
    'RESULT {"requests":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,"socket_errors":%d,"statuses":{%s}}\n',
    summary.requests, latency:percentile(50), latency:percentile(99), latency.max, errors,
    table.concat(parts, ",")))
end
