import java.nio.file.Files;
import java.nio.file.Path;
import java.lang.management.ManagementFactory;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * Runs a file of tables and one SELECT in a Flink cluster within this process, until so many rows came out.
 *
 * usage: Cdc FILE ROWS
 *
 * Prints one JSON line: seconds and CPU-seconds of the whole process from the first row to the last, and from the start.
 */
public class Cdc {
    static double cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    public static void main(String[] args) throws Exception {
        long wanted = Long.parseLong(args[1]);
        Configuration conf = new Configuration();
        conf.setString("parallelism.default", "1");
        conf.setString("execution.checkpointing.interval", "1s");
        conf.setString("table.local-time-zone", "UTC");
        conf.setString("restart-strategy", "none");
        TableEnvironment env = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(conf).build());
        TableResult result = null;
        for (String statement : Files.readString(Path.of(args[0])).split(";\\s*\n")) {
            if (!statement.isBlank()) {
                result = env.executeSql(statement);
            }
        }
        long rows = 0, first = 0;
        double cpuFirst = 0;
        try (var found = result.collect()) {
            while (rows < wanted && found.hasNext()) {
                found.next();
                if (rows++ == 0) {
                    first = System.nanoTime();
                    cpuFirst = cpu();
                }
            }
            System.out.printf("{\"rows\":%d,\"seconds\":%.3f,\"cpu\":%.3f,\"cpu_all\":%.3f}%n",
                rows, (System.nanoTime() - first) / 1e9, cpu() - cpuFirst, cpu());
            System.out.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
