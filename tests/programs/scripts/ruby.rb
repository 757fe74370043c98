# SPDX-License-Identifier: MIT
#
# Objects, strings, hashes; in threads, fibers and a child; a collector that compacts; big numbers.
require 'digest'
require 'json'
require 'set'
require 'zlib'

def work(seed)
  random = Random.new(seed)
  live = {}
  80_000.times do |i|
    key = random.rand(4000)
    if live.key?(key)
      live.delete(key)
    else
      live[key] = { text: 't' * random.rand(500), symbol: "s#{i % 100}".to_sym,
                    list: Array.new(random.rand(20)) { |k| k * i } }
    end
  end
  text = live.sort.map { |key, value| "#{key} #{value.to_json}" }.join("\n")
  packed = Zlib::Deflate.deflate(text, 6)
  raise 'zlib' unless Zlib::Inflate.inflate(packed) == text

  words = text.scan(/[a-z]\d+/).tally.sort.first(50)
  copy = Marshal.load(Marshal.dump(live))
  Digest::SHA256.hexdigest([text.gsub(/(\d)(\d)/, '\2\1'), words, copy.size, packed.size].inspect)
end

puts work(1)
puts Array.new(4) { |n| Thread.new { work(n) } }.map(&:value)

fibers = Array.new(1000) do |n|
  Fiber.new do
    20.times { |k| Fiber.yield(('y' * (n * k % 70)).size) }
    0
  end
end
puts 20.times.sum { fibers.sum(&:resume) }

GC.start
GC.compact
GC.stress = true
50.times { |i| [i.to_s * 10, { i => i }] }
GC.stress = false

reader, writer = IO.pipe
pid = fork do
  reader.close
  writer.write(work(7))
  writer.close
  exit!(0)
end
writer.close
puts reader.read
Process.wait(pid)
puts $?.exitstatus

puts (2**20000).to_s.size, Digest::SHA256.hexdigest((3**5000 * 7**3000).to_s(36)),
     (1..2000).inject(:*).to_s.size
puts Set.new((1..50_000).map { |i| i * 7919 % 10_007 }).size
