package org.aeraki.peer;

import java.util.Arrays;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.dubbo.common.logger.LoggerFactory;

/**
 * A real Dubbo provider and consumer (Apache Dubbo for Java) for tests and captures. The contract
 * that it shares with the other peers is in test/peers/README.md. It holds nothing of Aeraki: what it
 * says on the wire is what the library says.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        int code = run(args);
        System.out.flush();
        // Dubbo leaves threads behind, and its shutdown hook would close everything a second time.
        Runtime.getRuntime().halt(code);
    }

    /** Returns the exit code: 0, 1 when a request failed or the server could not serve, 2 for wrong arguments. */
    private static int run(String[] args) throws Exception {
        if (args.length == 0 || !args[0].equals("server") && !args[0].equals("client")) {
            System.err.println("usage: peer server|client [flags]; -h lists the flags");
            return 2;
        }
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        try {
            return args[0].equals("server") ? new Server(rest).run() : new Client(rest).run();
        } catch (Flags.UsageException e) {
            System.err.println("peer " + args[0] + ": " + e.getMessage());
            return 2;
        }
    }

    /** Sends the library's log to the standard error output; nothing without verbose. */
    static void quiet(boolean verbose) {
        System.setProperty("dubbo.application.logger", "jdk");
        // Before, because choosing a logger is logged; after, because the choice reads logging.properties.
        Logger.getLogger("").setLevel(Level.OFF);
        LoggerFactory.getLogger(Main.class);
        Logger.getLogger("").setLevel(verbose ? Level.INFO : Level.OFF);
    }
}
