-- A request is the file named by the first argument, with a number that no other request has in every place of the mark.
-- The file is a whole HTTP request; the number is as long as the mark, so that Content-Length stays true.
local MARK = "##########"
local threads = 0
local pieces, count = {}, 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
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
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
