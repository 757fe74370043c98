# SPDX-License-Identifier: MIT
"""lua5.4: tables that grow, strings, closures, coroutines, both collectors, deep recursion."""

NEEDS = {"lua5.4": "lua5.4"}
SERVED = ("lua5.4",)

SCRIPT = """
local function work(label)
  local seed = 12345
  local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n + 1 end
  local live, sum = {}, 0
  for i = 1, 300000 do
    local slot = random(5000)
    if live[slot] then sum = (sum + #live[slot].text + #live[slot].list) % 1000000007; live[slot] = nil
    else live[slot] = {text = ("x"):rep(random(400)) .. i, list = {i, i + 1, random(9)}, f = function() return i end} end
  end
  for slot = 1, 5000 do if live[slot] then sum = (sum * 31 + live[slot].f()) % 1000000007 end end
  local array = {}
  for i = 1, 200000 do array[i] = random(1000000) .. "" end
  table.sort(array)
  local parts = {}
  for i = 1, #array, 1000 do parts[#parts + 1] = array[i] end
  local text = table.concat(array, ",")
  local digits = 0
  for word in text:gmatch("%d+") do digits = digits + #word end
  local swapped = text:sub(1, 200000):gsub("(%d)(%d)", "%2%1")
  local threads = {}
  for i = 1, 2000 do
    threads[i] = coroutine.wrap(function() local t = {} for k = 1, 20 do t[k] = ("y"):rep(k * i % 50) coroutine.yield(#t[k]) end end)
  end
  local yielded = 0
  for k = 1, 20 do for i = 1, 2000 do yielded = yielded + threads[i]() end end
  local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
  print(label, sum, #text, digits, swapped:sub(1, 60), yielded, depth(150000), table.concat(parts, " "))
  print(pcall(string.rep, "x", 1 << 62), select("#", table.unpack(array, 1, 100000)))
end
collectgarbage("incremental"); work("incremental")
collectgarbage("generational"); work("generational")
collectgarbage(); collectgarbage()
print(collectgarbage("count") < 60000)
"""


def probe(run):
    run.command("lua5.4", "-v")


def run(run):
    return {"output": run.command("lua5.4", "-", stdin=SCRIPT.encode())}
