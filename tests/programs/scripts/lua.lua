-- SPDX-License-Identifier: MIT
--
-- Tables that grow and shrink, strings, closures, coroutines, deep recursion, both collectors.

local function churn(random)
  local live, sum = {}, 0
  for i = 1, 300000 do
    local slot = random(5000)
    local item = live[slot]
    if item then
      sum = (sum + #item.text + #item.list) % 1000000007
      live[slot] = nil
    else
      live[slot] = {
        text = ("x"):rep(random(400)) .. i, list = {i, i + 1, random(9)},
        call = function() return i end
      }
    end
  end
  for slot = 1, 5000 do
    if live[slot] then sum = (sum * 31 + live[slot].call()) % 1000000007 end
  end
  return sum
end

local function strings(random)
  local array, parts, digits = {}, {}, 0
  for i = 1, 200000 do array[i] = random(1000000) .. "" end
  table.sort(array)
  for i = 1, #array, 1000 do parts[#parts + 1] = array[i] end
  local text = table.concat(array, ",")
  for word in text:gmatch("%d+") do digits = digits + #word end
  local swapped = text:sub(1, 200000):gsub("(%d)(%d)", "%2%1")
  return #text, digits, swapped:sub(1, 60), table.concat(parts, " "),
    select("#", table.unpack(array, 1, 100000))
end

local function coroutines()
  local threads, yielded = {}, 0
  for i = 1, 2000 do
    threads[i] = coroutine.wrap(function()
      local kept = {}
      for k = 1, 20 do
        kept[k] = ("y"):rep(k * i % 50)
        coroutine.yield(#kept[k])
      end
    end)
  end
  for _ = 1, 20 do
    for i = 1, 2000 do yielded = yielded + threads[i]() end
  end
  return yielded
end

local function depth(n) return n == 0 and 0 or 1 + depth(n - 1) end

local function work(collector)
  local seed = 12345
  local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed % n + 1
  end
  collectgarbage(collector)
  print(collector, churn(random), strings(random))
  print(coroutines(), depth(150000), pcall(string.rep, "x", 1 << 62))
end

work("incremental")
work("generational")
collectgarbage()
collectgarbage()
print(collectgarbage("count") < 60000)
