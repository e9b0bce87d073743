package org.aeraki.peer;

import java.util.HashMap;
import java.util.Map;
import org.apache.dubbo.rpc.RpcException;

/** Counts for all workers of a client. */
final class Report {
    /** Bounds what an endless client keeps; further texts count as "other". */
    private static final int MAX_TEXTS = 50;

    private static final int MAX_TEXT = 300;

    private final Window total = new Window();
    private Window current = new Window();

    synchronized void begin() {
        total.sent++;
        current.sent++;
    }

    synchronized void right(long nanos, String version) {
        total.right(nanos, version);
        current.right(nanos, version);
    }

    synchronized void wrong() {
        total.wrong++;
        current.wrong++;
    }

    synchronized void error(String text) {
        total.error(text);
        current.error(text);
    }

    synchronized boolean good() {
        return total.wrong == 0 && total.errors.isEmpty();
    }

    synchronized String total() {
        return total.json().toString();
    }

    /** The line of the time since the one before. */
    synchronized String interval() {
        String line = current.json()
                .number("total_sent", total.sent)
                .number("total_ok", total.ok)
                .number("total_errors", total.errors.values().stream().mapToLong(Long::longValue).sum())
                .number("total_wrong", total.wrong)
                .toString();
        current = new Window();
        return line;
    }

    /** Names an error so that equal ones count as one: without numbers, addresses and tokens. */
    static String text(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String text = (e instanceof RpcException ? "rpc " + ((RpcException) e).getCode() + ": " : "")
                + root.getClass().getSimpleName() + ": " + String.valueOf(root.getMessage()).split("\\R", 2)[0];
        if (text.contains("response timeout")) {
            return "timeout";
        }
        text = text.replaceAll("#[0-9a-f]{8}\\.", "#.").replaceAll("[0-9]{2,}", "N");
        return text.substring(0, Math.min(MAX_TEXT, text.length()));
    }

    /** What happened in a span of time. */
    private static final class Window {
        private final long start = System.nanoTime();
        private final Map<String, Long> errors = new HashMap<>();
        private final Map<String, Long> byVersion = new HashMap<>();
        // Microseconds in buckets at most 1/32 wide: exact to 3 %, of constant size.
        private final long[] buckets = new long[32 * 40];
        private long sent;
        private long ok;
        private long wrong;

        void right(long nanos, String version) {
            ok++;
            long us = Math.max(0, nanos / 1000);
            buckets[Math.min(bucket(us), buckets.length - 1)]++;
            if (version != null && !version.isEmpty()) {
                byVersion.merge(version, 1L, Long::sum);
            }
        }

        void error(String text) {
            String counted = errors.containsKey(text) || errors.size() < MAX_TEXTS ? text : "other";
            errors.merge(counted, 1L, Long::sum);
        }

        /** us itself below 64; above, the top six bits and the magnitude number the bucket. */
        private static int bucket(long us) {
            if (us < 64) {
                return (int) us;
            }
            int shift = 58 - Long.numberOfLeadingZeros(us);
            return shift * 32 + (int) (us >> shift);
        }

        private static long floor(int bucket) {
            if (bucket < 64) {
                return bucket;
            }
            int shift = bucket / 32 - 1;
            return (long) (bucket - shift * 32) << shift;
        }

        private long quantile(double q) {
            long rank = (long) (q * ok);
            for (int i = 0; i < buckets.length; i++) {
                rank -= buckets[i];
                if (rank < 0) {
                    return floor(i);
                }
            }
            return 0;
        }

        Json json() {
            double seconds = (System.nanoTime() - start) / 1e9;
            return new Json()
                    .number("sent", sent)
                    .number("ok", ok)
                    .counts("errors", errors)
                    .number("wrong", wrong)
                    .counts("by_version", byVersion)
                    .number("p50_us", quantile(0.50))
                    .number("p99_us", quantile(0.99))
                    .number("rps", ok / seconds);
        }
    }
}
