package org.aeraki.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/** Sends the requests of one client. */
final class Load {
    /** A worker this far behind its schedule gives the missed requests up, so that no burst follows an outage. */
    private static final long MAX_BEHIND_NANOS = 1_000_000_000L;

    /** Keeps a client whose server is gone from spinning. */
    private static final long RECONNECT_MILLIS = 20;

    private final Flags flags;
    private final Calls calls;
    private final Report report = new Report();
    private final String session = String.format("%08x", ThreadLocalRandom.current().nextInt());
    private final AtomicLong left;
    private final boolean endless;
    private final int workers;
    private final long everyNanos;
    private volatile boolean stopped;

    Load(Flags flags, Calls calls) {
        this.flags = flags;
        this.calls = calls;
        left = new AtomicLong(flags.number("n"));
        endless = left.get() == 0;
        long concurrency = flags.number("concurrency");
        workers = (int) (concurrency > 0 ? concurrency : flags.number("connections"));
        double rate = Double.parseDouble(flags.text("rate"));
        everyNanos = rate > 0 ? (long) (workers / rate * 1e9) : 0;
    }

    /** Ends after the requests in flight; main is interrupted if it lingers. */
    void stop(Thread main) {
        stopped = true;
        main.interrupt();
    }

    /** Returns whether every request brought its reply; the last line is printed then. */
    boolean run() {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < workers; i++) {
            int worker = i;
            threads.add(new Thread(() -> work(worker), "worker-" + i));
        }
        threads.forEach(Thread::start);
        long stats = flags.duration("stats").toMillis();
        long next = System.currentTimeMillis() + stats;
        for (Thread t : threads) {
            while (t.isAlive()) {
                try {
                    t.join(stats > 0 ? Math.max(1, next - System.currentTimeMillis()) : 0);
                } catch (InterruptedException e) {
                    // stop was called: the workers end by themselves.
                    continue;
                }
                if (stats > 0 && System.currentTimeMillis() >= next) {
                    print(report.interval());
                    next += stats;
                }
            }
        }
        print(report.total());
        return report.good();
    }

    private static void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private void work(int worker) {
        long due = System.nanoTime() + everyNanos * worker / workers;
        for (int i = 0; !stopped && (endless || left.decrementAndGet() >= 0); i++) {
            long now = System.nanoTime();
            if (everyNanos == 0 || now - due > MAX_BEHIND_NANOS) {
                due = now;
            }
            if (!sleep(due - now)) {
                return;
            }
            // With a rate a latency counts from when the request was due: a slow reply must not hide
            // behind the requests that it holds up.
            one(i, flags.text("name") + "#" + session + "." + worker + "." + i, due);
            due += everyNanos;
        }
    }

    private void one(int i, String token, long due) {
        report.begin();
        try {
            Calls.Reply r = calls.call(i, token);
            report.right(System.nanoTime() - due, r.version);
            show(r.text);
        } catch (Calls.WrongReply e) {
            report.wrong();
            show("wrong: " + e.getMessage());
        } catch (Throwable e) {
            report.error(Report.text(e));
            show("error: " + e);
            if (Report.text(e).contains("No provider") || Report.text(e).contains("client is not connected")) {
                sleep(RECONNECT_MILLIS * 1_000_000);
            }
        }
    }

    private void show(String text) {
        if (flags.bool("print")) {
            print(text);
        }
    }

    private boolean sleep(long nanos) {
        if (nanos > 0) {
            try {
                Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
            } catch (InterruptedException e) {
                return false;
            }
        }
        return !stopped;
    }
}
