/* SPDX-License-Identifier: MIT
 *
 * Threads that fill the Java heap, and memory outside of it: direct buffers, zlib, many thread
 * stacks, parallel streams, the collector's own tables.
 */
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Main {
    static String sha(byte[] data) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(data);
        return HexFormat.of().formatHex(digest).substring(0, 24);
    }

    static byte[] packed(byte[] data, int level) throws Exception {
        Deflater deflater = new Deflater(level);
        byte[] packed = new byte[data.length + 1000];
        deflater.setInput(data);
        deflater.finish();
        int size = deflater.deflate(packed);
        deflater.end();
        Inflater inflater = new Inflater();
        byte[] again = new byte[data.length];
        inflater.setInput(packed, 0, size);
        if (inflater.inflate(again) != data.length || !Arrays.equals(data, again))
            throw new Exception("zlib");
        inflater.end();
        return Arrays.copyOf(packed, size);
    }

    static String work(int seed) throws Exception {
        Random random = new Random(seed);
        Map<Integer, String> live = new TreeMap<>();
        List<ByteBuffer> direct = new ArrayList<>();
        for (int i = 0; i < 40000; i++) {
            int key = random.nextInt(2000);
            if (live.remove(key) == null)
                live.put(key, "t".repeat(random.nextInt(300)) + i);
            if (i % 40 == 0)
                direct.add(ByteBuffer.allocateDirect(random.nextInt(20000) + 8).putInt(0, i));
            if (i % 50 == 0)
                direct.set(random.nextInt(direct.size()),
                           ByteBuffer.allocateDirect(100).putInt(0, -i));
        }
        String text = live.toString();
        long sum = direct.stream().mapToLong(buffer -> buffer.getInt(0)).sum();
        String swapped = Pattern.compile("(\\d)(\\d)").matcher(text).replaceAll("$2$1");
        return sha(swapped.getBytes()) + " " + sum + " "
            + sha(packed(text.getBytes(), seed % 9 + 1));
    }

    static void pool() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<String>> answers = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            int n = i;
            answers.add(pool.submit(() -> work(n)));
        }
        for (Future<String> answer : answers)
            System.out.println(answer.get());
        pool.shutdown();
    }

    static void manyThreads() throws Exception {
        ConcurrentHashMap<Integer, Long> map = new ConcurrentHashMap<>();
        Thread[] threads = new Thread[300];
        for (int i = 0; i < threads.length; i++) {
            int n = i;
            threads[i] = new Thread(() -> {
                for (int k = 0; k < 500; k++)
                    map.merge(k * n % 1009, 1L, Long::sum);
            });
            threads[i].start();
        }
        for (Thread thread : threads)
            thread.join();
        System.out.println(map.size() + " " + new TreeMap<>(map).toString().hashCode());
    }

    static void streams() {
        Map<Long, Long> counts = IntStream.range(0, 400000).parallel()
            .mapToObj(i -> i * 7919L % 10007)
            .collect(Collectors.groupingByConcurrent(x -> x % 97, Collectors.counting()));
        System.out.println(new TreeMap<>(counts));
    }

    public static void main(String[] arguments) throws Exception {
        pool();
        manyThreads();
        streams();
        for (int i = 0; i < 5; i++) {
            byte[][] heap = new byte[40][];
            for (int k = 0; k < heap.length; k++)
                heap[k] = new byte[1 << 20];
            System.gc();
        }
    }
}
