# SPDX-License-Identifier: MIT
"""java: javac, then a program of many threads that also uses memory outside of the Java heap."""

NEEDS = {"java": "default-jdk-headless", "javac": "default-jdk-headless"}
SERVED = ("java", "javac")

SOURCE = r"""
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.Pattern;
import java.util.stream.*;
import java.util.zip.*;

public class Main {
    static String sha(byte[] data) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data)).substring(0, 24);
    }

    static byte[] run(byte[] in, int level) throws Exception {
        Deflater deflater = new Deflater(level);
        byte[] packed = new byte[in.length + 1000], out = new byte[in.length];
        deflater.setInput(in); deflater.finish();
        int size = deflater.deflate(packed); deflater.end();
        Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, size);
        if (inflater.inflate(out) != in.length || !Arrays.equals(in, out)) throw new Exception("zlib");
        inflater.end();
        return Arrays.copyOf(packed, size);
    }

    static String work(int seed) throws Exception {
        Random random = new Random(seed);
        Map<Integer, String> live = new TreeMap<>();
        List<ByteBuffer> direct = new ArrayList<>();
        for (int i = 0; i < 40000; i++) {
            int key = random.nextInt(2000);
            if (live.remove(key) == null) live.put(key, "t".repeat(random.nextInt(300)) + i);
            if (i % 40 == 0) direct.add(ByteBuffer.allocateDirect(random.nextInt(20000) + 8).putInt(0, i));
            if (i % 50 == 0) direct.set(random.nextInt(direct.size()), ByteBuffer.allocateDirect(100).putInt(0, -i));
        }
        String text = live.toString();
        long sum = direct.stream().mapToLong(b -> b.getInt(0)).sum();
        String swapped = Pattern.compile("(\\d)(\\d)").matcher(text).replaceAll("$2$1");
        return sha(swapped.getBytes()) + " " + sum + " " + sha(run(text.getBytes(), seed % 9 + 1));
    }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<String>> answers = new ArrayList<>();
        for (int i = 0; i < 24; i++) { int n = i; answers.add(pool.submit(() -> work(n))); }
        for (Future<String> answer : answers) System.out.println(answer.get());
        pool.shutdown();
        Thread[] threads = new Thread[300];
        ConcurrentHashMap<Integer, Long> map = new ConcurrentHashMap<>();
        for (int i = 0; i < threads.length; i++) {
            int n = i;
            threads[i] = new Thread(() -> { for (int k = 0; k < 500; k++) map.merge(k * n % 1009, 1L, Long::sum); });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println(map.size() + " " + new TreeMap<>(map).toString().hashCode());
        System.out.println(IntStream.range(0, 400000).parallel().mapToObj(i -> i * 7919L % 10007)
            .collect(Collectors.groupingByConcurrent(x -> x % 97, Sorted::new, Collectors.counting())).hashCode());
        for (int i = 0; i < 5; i++) { byte[][] heap = new byte[40][]; for (int k = 0; k < 40; k++) heap[k] = new byte[1 << 20]; System.gc(); }
    }

    static class Sorted<K, V> extends ConcurrentSkipListMap<K, V> { }
}
"""


def prepare(case):
    (case.inputs / "Main.java").write_text(SOURCE, encoding="utf-8")


def probe(run):
    run.command("java", "-version", chatty=True)
    run.command("javac", "-version")


def run(run):
    run.command("javac", "-d", ".", run.inputs / "Main.java")
    return {
        collector: run.command(
            "java", "-Xmx256m", f"-XX:+Use{collector}", "-XX:-UsePerfData", "-cp", ".", "Main"
        )
        for collector in ("SerialGC", "ParallelGC", "G1GC")
    }
