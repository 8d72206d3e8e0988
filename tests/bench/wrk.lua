-- A request is the file named by the first argument, with a number that no other request has in every place of the mark.
-- The file is a whole HTTP request; the number is as long as the mark, so that Content-Length stays true.
local MARK = "##########"
local threads = {}
local pieces, count, owed = {}, 0, {}
pushed = 0

function setup(thread)
  threads[#threads + 1] = thread
  thread:set("number", #threads)
end

-- With a second argument: whoever is told that there is no room waits as long as he is told, as a bulk writer has to.
-- Only then, because looking at answers costs time.
local function be_patient()
  function response(status, headers)
    if status == 429 then
      pushed = pushed + 1
      owed[#owed + 1] = (tonumber(headers["Retry-After"]) or 1) * 1000
    end
  end
  function delay()
    return table.remove(owed) or 0
  end
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  if args[2] then be_patient() end
  local from = 1
  while true do
    local first, last = text:find(MARK, from, true)
    pieces[#pieces + 1] = text:sub(from, (first or #text + 1) - 1)
    if not first then break end
    from = last + 1
  end
end

function request()
  count = count + 1
  return table.concat(pieces, string.format("%02d%08d", number, count))
end

function done(summary, latency, requests)
  local errors, refused = summary.errors, 0
  for _, thread in ipairs(threads) do refused = refused + thread:get("pushed") end
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,"pushed_back":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status, refused))
end
